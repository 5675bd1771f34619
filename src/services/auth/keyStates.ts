import { LRUCache } from 'lru-cache';
import { AppError } from '../../lib/errors.ts';
import type { ApiKey } from '../../models/entities.ts';
import { hashApiKey, isWellFormedApiKey } from './apiKeyToken.ts';
import type { AuthParts } from './deps.ts';

export interface KeyStates {
  /**
   * The key that a token is, if it is good.
   * @throws AppError `TOKEN_INVALID` (none of ours), `TOKEN_REVOKED` (revoked, or its user is gone or disabled), `TOKEN_EXPIRED`
   */
  getKey(token: string): Promise<ApiKey>;
}

/** As for logins: the longest that what another node did can go unnoticed here. */
const REVALIDATE_MS = 30_000;
const MAX_KEYS = 10_000;

interface Entry {
  readonly key: ApiKey;
  readonly isGood: boolean;
  readonly readAt: number;
}

/**
 * Remembers API keys by their hash, so that a steady client costs no database read: each is read again after 30 s, and at
 * once after it, or its account, ended on this node. A key that is nobody's is not remembered: anyone can make up many.
 */
export const createKeyStates = ({
  stores,
  events,
  clock,
}: Pick<AuthParts, 'stores' | 'events' | 'clock'>): KeyStates => {
  const entries = new LRUCache<string, Entry>({ max: MAX_KEYS });
  /** Rises with every ending: a read that was under way then may have seen the time before it, and is not kept. */
  let endings = 0;

  const forget = (isEnded: (key: ApiKey) => boolean): void => {
    endings += 1;
    for (const [hash, { key }] of entries.entries()) if (isEnded(key)) entries.delete(hash);
  };
  events.subscribe('keyEnded', ({ keyId }) => forget((key) => key.id === keyId));
  events.subscribe('accountEnded', ({ ownerId }) => forget((key) => key.ownerId === ownerId));

  const read = async (hash: string): Promise<Entry> => {
    const endingsBefore = endings;
    const readAt = clock.now();
    const key = await stores.apiKeys.findKeyByHash(hash);
    if (!key) throw new AppError('TOKEN_INVALID');
    const user = key.revokedAt === null ? await stores.users.findUser(key.ownerId) : null;
    const entry = { key, isGood: user?.status === 'active', readAt };
    if (endings === endingsBefore) entries.set(hash, entry);
    return entry;
  };

  return {
    getKey: async (token) => {
      if (!isWellFormedApiKey(token)) throw new AppError('TOKEN_INVALID');
      const hash = hashApiKey(token);
      const known = entries.get(hash);
      const isFresh = known !== undefined && clock.now() - known.readAt < REVALIDATE_MS;
      const { key, isGood } = isFresh ? known : await read(hash);
      if (!isGood) throw new AppError('TOKEN_REVOKED', { detail: 'The API key was revoked' });
      if (key.expiresAt !== null && key.expiresAt.getTime() <= clock.now()) {
        throw new AppError('TOKEN_EXPIRED', { detail: 'The API key has expired: make a new one' });
      }
      return key;
    },
  };
};
