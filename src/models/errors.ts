import { AppError } from '../lib/errors.ts';
import type { QuotaLimits } from './stores.ts';

/** A value that must be unique is taken. */
export class DuplicateKeyError extends Error {
  readonly field: string;

  constructor(field: string, options?: ErrorOptions) {
    super(`duplicate ${field}`, options);
    this.name = 'DuplicateKeyError';
    this.field = field;
  }
}

/**
 * The database did not answer, or could not keep what it was given; nothing is known to be stored.
 * It means the same to every service and client, so it is their error from the start: `message` goes to the log only.
 */
export class StoreUnavailableError extends AppError {
  constructor(message: string, options?: ErrorOptions) {
    super('STORE_UNAVAILABLE', { cause: options?.cause ?? message, retryAfterMs: 2000 });
    this.name = 'StoreUnavailableError';
    this.message = message;
  }
}

/** A turn names a chat or a parent message that its owner does not have. */
export class MissingReferenceError extends Error {
  readonly what: 'chat' | 'parent';

  constructor(what: 'chat' | 'parent') {
    super(`no such ${what}`);
    this.name = 'MissingReferenceError';
    this.what = what;
  }
}

/** The chat has more unfinished replies than the turn allows before it. */
export class ChatFullError extends Error {
  constructor() {
    super('too many unfinished replies in the chat');
    this.name = 'ChatFullError';
  }
}

/** A change that would leave nobody to administer accounts. */
export class LastAdminError extends Error {
  constructor() {
    super('the last active admin must stay one');
    this.name = 'LastAdminError';
  }
}

/** A quota has too little left for an answer; nothing is stored. */
export class QuotaError extends Error {
  readonly quota: keyof QuotaLimits;
  /** Whether the books of the day alone fill it; else it is answers that have not ended. */
  readonly isUsedUp: boolean;

  constructor(quota: keyof QuotaLimits, isUsedUp: boolean) {
    super(`too little left of the quota ${quota}`);
    this.name = 'QuotaError';
    this.quota = quota;
    this.isUsedUp = isUsedUp;
  }
}
