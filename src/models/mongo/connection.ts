import { Mongoose, type ConnectOptions, type Connection } from 'mongoose';

/**
 * Milliseconds and counts under which a database that is gone or slow is noticed before clients give up. An operator
 * may set each in the URI, and then that holds.
 */
const LIMITS = {
  serverSelectionTimeoutMS: 1_500,
  connectTimeoutMS: 2_000,
  // Above the write concern's timeout, or a write that waits for a slow secondary would be cut off before its answer.
  socketTimeoutMS: 8_000,
  waitQueueTimeoutMS: 2_000,
  maxPoolSize: 50,
  // How soon a server that came back is seen while nobody asks for it.
  heartbeatFrequencyMS: 2_000,
} as const;

const WRITE_TIMEOUT_MS = 5_000;

const limitsFor = (uri: string): ConnectOptions => {
  const given = new Set([...new URLSearchParams(uri.split('?')[1])].map(([name]) => name.toLowerCase()));
  return Object.fromEntries(Object.entries(LIMITS).filter(([name]) => !given.has(name.toLowerCase())));
};

/**
 * Retryable writes stay at the driver's default, on: it asks the server (`hello`) and leaves them out where there are
 * none, as on a standalone server and FerretDB. Every step of the stores can be repeated, so that nothing rests on them.
 */
export const connectOptions = (uri: string): ConnectOptions => ({
  ...limitsFor(uri),
  appName: 'parley',
  autoCreate: false,
  autoIndex: false,
  bufferCommands: false,
  sanitizeFilter: true,
  // An optional field that is left out stays left out instead of becoming null.
  ignoreUndefined: true,
  // Stores read what they have just written, whatever the URI would prefer.
  readPreference: 'primary',
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: WRITE_TIMEOUT_MS },
});

/** A connection, not yet open, on a mongoose of its own: two nodes in one process share nothing. */
export const createConnection = (): Connection => {
  const mongoose = new Mongoose({ strictQuery: 'throw', autoIndex: false, autoCreate: false, bufferCommands: false });
  const connection = mongoose.createConnection();
  // Failures reach the callers; without a listener mongoose would throw some of them a second time.
  connection.on('error', () => undefined);
  return connection;
};
