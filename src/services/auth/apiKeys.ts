import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import { readTimeCursor, toTimePage } from '../../lib/timeCursor.ts';
import type { ApiKey, Scope } from '../../models/entities.ts';
import type { Page } from '../../schemas/common.ts';
import type { Actor } from './actor.ts';
import { makeApiKey } from './apiKeyToken.ts';
import type { AuthParts, PageQuery } from './deps.ts';

export interface NewApiKey {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresAt?: Date | undefined;
}

/** The key itself is told here and never again. */
export interface CreatedApiKey {
  readonly key: ApiKey;
  readonly token: string;
}

const MAX_KEYS_PER_USER = 50;
const LIST = 'keys';

/** The API keys of a user. An actor who came with a key gets nowhere near: the policies of the routes see to that. */
export const createApiKeys = ({ stores, events, clock, audit }: AuthParts) => {
  const listKeys = async ({ ownerId }: Actor, { limit, cursor }: PageQuery): Promise<Page<ApiKey>> => {
    const keys = await stores.apiKeys.listKeys(ownerId, { after: readTimeCursor(LIST, cursor), limit: limit + 1 });
    return toTimePage(keys, { list: LIST, limit, timeOf: (key) => key.createdAt });
  };

  /**
   * A reset of the password that came between the check of the login and the storing of its key may not have seen the key.
   * @throws AppError `TOKEN_REVOKED`
   */
  const confirmLogin = async ({ ownerId, loginId }: Actor, keyId: string): Promise<void> => {
    const login = loginId === null ? null : await stores.logins.findLogin(loginId);
    if (login?.endedAt === null) return;
    await stores.apiKeys.revokeKey(ownerId, keyId, new Date(clock.now()));
    throw new AppError('TOKEN_REVOKED');
  };

  /** @throws AppError `VALIDATION_FAILED` (an end in the past), `FORBIDDEN` (as many as a user may have), `TOKEN_REVOKED` */
  const createKey = async (actor: Actor, input: NewApiKey): Promise<CreatedApiKey> => {
    const now = new Date(clock.now());
    if (input.expiresAt && input.expiresAt <= now) {
      throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'expiresAt', message: 'must be in the future' }] });
    }
    const { token, hash, prefix } = makeApiKey();
    const key: ApiKey = {
      id: newId(),
      ownerId: actor.ownerId,
      name: input.name,
      hash,
      prefix,
      scopes: [...new Set(input.scopes)],
      createdAt: now,
      expiresAt: input.expiresAt ?? null,
      lastUsedAt: null,
      revokedAt: null,
    };
    if (!(await stores.apiKeys.createKey(key, MAX_KEYS_PER_USER))) {
      throw new AppError('FORBIDDEN', { detail: `At most ${String(MAX_KEYS_PER_USER)} API keys: revoke one first` });
    }
    await confirmLogin(actor, key.id);
    const { userId: actorId, ownerId } = actor;
    const details = { prefix, scopes: key.scopes.join(' ') };
    await audit.recordNow({ action: 'key.created', actorId, ownerId, targetId: key.id, details });
    return { key, token };
  };

  /** What is open with the key is closed. @throws AppError `KEY_NOT_FOUND` */
  const revokeKey = async ({ userId: actorId, ownerId }: Actor, keyId: string): Promise<void> => {
    const isRevoked = await stores.apiKeys.revokeKey(ownerId, keyId, new Date(clock.now()));
    if (!isRevoked) throw new AppError('KEY_NOT_FOUND');
    events.publish('keyEnded', { ownerId, keyId });
    await audit.recordNow({ action: 'key.revoked', actorId, ownerId, targetId: keyId });
  };

  return { listKeys, createKey, revokeKey };
};
