import { mongo, MongooseError } from 'mongoose';
import { DuplicateKeyError, StoreUnavailableError } from '../errors.ts';

const DUPLICATE_KEY = 11000;

/** A write that met a unique value which is taken, and nothing worse. */
interface DuplicateKeyFailure {
  readonly keyPattern?: Readonly<Record<string, unknown>>;
  /** Of an unordered insert of many: how many of them were stored. */
  readonly insertedCount: number;
}

const allDuplicates = (error: mongo.MongoBulkWriteError): boolean =>
  [error.writeErrors].flat().every((failure) => failure.code === DUPLICATE_KEY);

/** Whether a write failed because, and only because, a unique value is taken. */
export const isDuplicateKey = (error: unknown): error is mongo.MongoServerError & DuplicateKeyFailure => {
  if (!(error instanceof mongo.MongoServerError) || error.code !== DUPLICATE_KEY) return false;
  return !(error instanceof mongo.MongoBulkWriteError) || allDuplicates(error);
};

/** Whether the server itself said no, so that it is there and can be asked why. */
export const isRefusal = (error: unknown): boolean => error instanceof mongo.MongoServerError;

/** Errors of mongoose itself that mean «not connected»; the others mean a defect of ours. */
const isNotConnected = (error: unknown): boolean =>
  error instanceof MongooseError && (error.name === 'MongooseError' || error.name === 'MongooseServerSelectionError');

/**
 * The driver's error → ours. Whatever the driver reports means that the database did not do, or cannot be known to have
 * done, what it was asked; only a wrong argument or URI is a mistake on this side and comes back as it
 * is, like everything else.
 */
export const toStoreError = (error: unknown): unknown => {
  if (isDuplicateKey(error)) {
    const field = Object.keys(error.keyPattern ?? {}).at(-1) ?? '_id';
    return new DuplicateKeyError(field === '_id' ? 'id' : field, { cause: error });
  }
  if (error instanceof mongo.MongoInvalidArgumentError || error instanceof mongo.MongoParseError) return error;
  if (error instanceof mongo.MongoError || isNotConnected(error)) {
    return new StoreUnavailableError('MongoDB did not answer', { cause: error });
  }
  return error;
};
