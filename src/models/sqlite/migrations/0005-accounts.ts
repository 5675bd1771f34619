/**
 * API keys and the audit log, and what the lists of users and logins go by.
 * - `scopes` is JSON: `["chat"]`. Rows of the audit log have no owner in their key: they outlive the accounts they tell of.
 */
export const accounts = `
CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  prefix TEXT NOT NULL,
  scopes TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  last_used_at INTEGER,
  revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_owner ON api_keys (owner_id, created_at, id);
CREATE INDEX api_keys_by_end ON api_keys (coalesce(revoked_at, expires_at));

CREATE TABLE audit (
  id TEXT PRIMARY KEY,
  at INTEGER NOT NULL,
  action TEXT NOT NULL,
  outcome TEXT NOT NULL,
  actor_id TEXT,
  owner_id TEXT,
  target_id TEXT,
  ip TEXT NOT NULL,
  device TEXT NOT NULL,
  request_id TEXT,
  details TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_time ON audit (at, id);
CREATE INDEX audit_by_actor ON audit (actor_id, at, id);
CREATE INDEX audit_by_owner ON audit (owner_id, at, id);
CREATE INDEX audit_by_action ON audit (action, at, id);

CREATE INDEX users_by_creation ON users (created_at, id);
CREATE INDEX logins_by_creation ON logins (owner_id, created_at, id);
`;
