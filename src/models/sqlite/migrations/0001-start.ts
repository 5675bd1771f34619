/**
 * The first schema. A migration that was released is never edited: the next change is the next file.
 * - Times are milliseconds since the epoch, structures are JSON text, ids are UUIDs as text.
 * - `owner_id` refers to no table: today it is a user, later it can be an organisation.
 * - Small rows live in their key's tree (WITHOUT ROWID); rows with long text do not, since it would bloat the tree.
 * - `title_key` and `username_key` are lower-cased by JavaScript, because SQLite's lower() knows ASCII only.
 */
export const start = `
PRAGMA application_id = 0x5041524c;

CREATE TABLE users (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL,
  username_key TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL UNIQUE,
  email_verified INTEGER NOT NULL,
  full_name TEXT,
  role TEXT NOT NULL,
  status TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  last_login_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX users_by_role ON users (role);

CREATE TABLE logins (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  device TEXT NOT NULL,
  ip TEXT NOT NULL,
  token_hash TEXT NOT NULL,
  generation INTEGER NOT NULL,
  rotated_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  idle_expires_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX logins_by_owner ON logins (owner_id);
CREATE INDEX logins_by_expiry ON logins (min(idle_expires_at, expires_at));

CREATE TABLE tickets (
  hash TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  login_id TEXT,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tickets_by_owner ON tickets (owner_id);
CREATE INDEX tickets_by_expiry ON tickets (expires_at);

CREATE TABLE chats (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  created_by TEXT NOT NULL,
  title TEXT NOT NULL,
  title_key TEXT NOT NULL,
  model TEXT,
  system_prompt TEXT,
  active_leaf_id TEXT,
  message_count INTEGER NOT NULL,
  last_message_preview TEXT,
  last_seq INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  rev INTEGER NOT NULL
) STRICT;
CREATE INDEX chats_by_update ON chats (owner_id, updated_at, id);
CREATE INDEX chats_by_creation ON chats (owner_id, created_at, id);
CREATE INDEX chats_by_idleness ON chats (updated_at);

CREATE TABLE messages (
  id TEXT PRIMARY KEY,
  owner_id TEXT NOT NULL,
  created_by TEXT NOT NULL,
  chat_id TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  parent_id TEXT,
  role TEXT NOT NULL,
  content TEXT NOT NULL,
  status TEXT NOT NULL,
  client_message_id TEXT,
  model TEXT,
  finish_reason TEXT,
  usage TEXT,
  latency_ms TEXT,
  segments TEXT,
  error TEXT,
  lease_node_id TEXT,
  lease_until INTEGER,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  rev INTEGER NOT NULL,
  UNIQUE (chat_id, seq)
) STRICT;
CREATE INDEX messages_by_parent ON messages (parent_id, chat_id, seq);
CREATE INDEX messages_unfinished ON messages (chat_id, seq) WHERE status IN ('queued', 'pending', 'streaming');
CREATE INDEX messages_by_lease ON messages (lease_until) WHERE status IN ('pending', 'streaming');
CREATE INDEX messages_queued ON messages (created_at) WHERE status = 'queued';

CREATE TABLE reply_log (
  message_id TEXT NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
  owner_id TEXT NOT NULL,
  start INTEGER NOT NULL,
  units INTEGER NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (message_id, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE turns (
  owner_id TEXT NOT NULL,
  client_message_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  chat_id TEXT NOT NULL,
  user_message_id TEXT NOT NULL,
  reply_id TEXT NOT NULL,
  PRIMARY KEY (owner_id, client_message_id)
) STRICT, WITHOUT ROWID;
`;
