import { randomUUIDv7 } from 'node:crypto';

/** A new entity id: UUIDv7 (RFC 9562 §5.7). Roughly in order of time, but order is never read from it. */
export const newId = (): string => randomUUIDv7();

const SAFE_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** A request's id: the caller's own if it is safe to print (≤ 64 characters), else a new one. */
export const chooseRequestId = (offered: unknown): string =>
  typeof offered === 'string' && SAFE_ID.test(offered) ? offered : newId();

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether a string could be one of our ids; anything else names nothing. */
export const isId = (value: string): boolean => UUID.test(value);
