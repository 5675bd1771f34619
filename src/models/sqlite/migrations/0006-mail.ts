/** The links of mails that were sent: one of a kind for each owner, so that a new one takes the place of the old. */
export const mail = `
CREATE TABLE mail_tokens (
  owner_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (owner_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX mail_tokens_by_end ON mail_tokens (expires_at);
`;
