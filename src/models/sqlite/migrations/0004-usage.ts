/**
 * The books of what models cost, and what is reserved of their owners' quotas.
 * - `usage` has a row for each call and lives in the key by which it is read: one owner's, in order of time.
 * - `usage_days` adds the rows up, written with them, so that a quota or a month is a few rows to read.
 * - `quota_reservations` holds what the running answers of this process took; `chat_id` is null for a stateless one.
 *   Chats that are being answered are counted from their messages, by the last index.
 */
export const usage = `
CREATE TABLE usage (
  owner_id TEXT NOT NULL,
  at INTEGER NOT NULL,
  id TEXT NOT NULL,
  created_by TEXT NOT NULL,
  kind TEXT NOT NULL,
  chat_id TEXT,
  message_id TEXT,
  number INTEGER NOT NULL,
  model TEXT NOT NULL,
  provider TEXT,
  generation_id TEXT,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  total_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  first_token_ms INTEGER,
  duration_ms INTEGER NOT NULL,
  chosen_by TEXT NOT NULL,
  outcome TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (owner_id, at, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage_days (
  owner_id TEXT NOT NULL,
  day TEXT NOT NULL,
  model TEXT NOT NULL,
  requests INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL,
  completion_tokens INTEGER NOT NULL,
  total_tokens INTEGER NOT NULL,
  reasoning_tokens INTEGER NOT NULL,
  cached_tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL,
  PRIMARY KEY (owner_id, day, model)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_days_by_day ON usage_days (day);

CREATE TABLE quota_reservations (
  owner_id TEXT NOT NULL,
  id TEXT NOT NULL,
  chat_id TEXT,
  node_id TEXT NOT NULL,
  tokens INTEGER NOT NULL,
  cost_micro_usd INTEGER NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (owner_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX quota_reservations_by_node ON quota_reservations (node_id);

CREATE INDEX messages_unfinished_by_owner ON messages (owner_id, chat_id)
  WHERE status IN ('queued', 'pending', 'streaming');
`;
