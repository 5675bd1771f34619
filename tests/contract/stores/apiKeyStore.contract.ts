import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { at, longAgo, newApiKey, newHash, newUser, times, UGLY_TEXT } from './rows.ts';

const ALL = { after: null, limit: 100 };

/** What `ApiKeyStore` promises. */
export const apiKeyStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const stored = async (ownerId = newId(), changes = {}) => {
    const key = newApiKey(ownerId, changes);
    expect(await stores.apiKeys.createKey(key, 50)).toBe(true);
    return key;
  };

  test('a key, stored and found by its hash alone, is the same in every field', async () => {
    const key = await stored(newId(), {
      name: UGLY_TEXT,
      scopes: ['chat', 'read'],
      expiresAt: at(9),
      lastUsedAt: at(1),
    });
    expect(await stores.apiKeys.findKeyByHash(key.hash)).toEqual(key);
    expect(await stores.apiKeys.findKeyByHash(newHash())).toBeNull();
  });

  test('createKey, with as many as there may be, is false until one is revoked; others have their own count', async () => {
    const ownerId = newId();
    const [first] = [await stored(ownerId), await stored(ownerId, { expiresAt: at(1) })];
    const third = newApiKey(ownerId);
    expect(await stores.apiKeys.createKey(third, 2)).toBe(false);
    expect(await stores.apiKeys.findKeyByHash(third.hash)).toBeNull();
    await stored(newId());
    await stores.apiKeys.revokeKey(ownerId, first.id, at(1));
    expect(await stores.apiKeys.createKey(third, 2)).toBe(true);
  });

  test('createKey, 20 times at once, never lets one too many in', async () => {
    const ownerId = newId();
    const outcomes = await Promise.all(times(20, () => stores.apiKeys.createKey(newApiKey(ownerId), 5)));
    const keys = await stores.apiKeys.listKeys(ownerId, ALL);
    expect(keys.length).toBeLessThanOrEqual(5);
    expect(outcomes.filter(Boolean)).toHaveLength(keys.length);
  });

  test('listKeys, in pages, has those that are not revoked, the newest first, equal times by id', async () => {
    const ownerId = newId();
    const keys = [];
    for (const time of [1, 2, 2, 3]) keys.push(await stored(ownerId, { createdAt: at(time) }));
    const revoked = await stored(ownerId, { createdAt: at(4) });
    await stores.apiKeys.revokeKey(ownerId, revoked.id, at(5));
    await stored(newId(), { createdAt: at(2) });
    const expected = keys.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1));

    expect(await stores.apiKeys.listKeys(ownerId, ALL)).toEqual(expected);
    const seen = [];
    let after = null;
    for (let page = 0; page < 4; page += 1) {
      const [key] = await stores.apiKeys.listKeys(ownerId, { after, limit: 1 });
      seen.push(key);
      after = key ? { at: key.createdAt, id: key.id } : null;
    }
    expect(seen).toEqual(expected);
    expect(await stores.apiKeys.listKeys(ownerId, { after, limit: 1 })).toEqual([]);
  });

  test('revokeKey, of a foreign or a missing key or again, is false and changes nothing', async () => {
    const key = await stored();
    expect(await stores.apiKeys.revokeKey(newId(), key.id, at(1))).toBe(false);
    expect(await stores.apiKeys.revokeKey(key.ownerId, newId(), at(1))).toBe(false);
    expect(await stores.apiKeys.findKeyByHash(key.hash)).toEqual(key);
    expect(await stores.apiKeys.revokeKey(key.ownerId, key.id, at(2))).toBe(true);
    expect(await stores.apiKeys.revokeKey(key.ownerId, key.id, at(3))).toBe(false);
    expect(await stores.apiKeys.findKeyByHash(key.hash)).toEqual({ ...key, revokedAt: at(2) });
  });

  test('revokeKeys revokes all of one owner and returns each once, also when called at once', async () => {
    const ownerId = newId();
    const keys = await Promise.all(times(5, () => stored(ownerId)));
    const other = await stored();
    const ended = await Promise.all(times(3, () => stores.apiKeys.revokeKeys(ownerId, at(7))));
    expect(ended.flat().toSorted()).toEqual(keys.map(({ id }) => id).toSorted());
    expect(await stores.apiKeys.listKeys(ownerId, ALL)).toEqual([]);
    expect(await stores.apiKeys.findKeyByHash(other.hash)).toEqual(other);
  });

  test('touchKeys moves the last use forward, never back', async () => {
    const key = await stored();
    await stores.apiKeys.touchKeys([
      { id: key.id, at: at(60_000) },
      { id: newId(), at: at(60_000) },
    ]);
    await stores.apiKeys.touchKeys([{ id: key.id, at: at(30_000) }]);
    expect(await stores.apiKeys.findKeyByHash(key.hash)).toEqual({ ...key, lastUsedAt: at(60_000) });
  });

  test('deleteEndedKeys, with a limit, removes so many that were revoked or expired before, and no others', async () => {
    const revoked = await stored(newId(), { revokedAt: longAgo(1), expiresAt: longAgo(100) });
    const expired = await stored(newId(), { expiresAt: longAgo(2) });
    const kept = [
      await stored(newId(), { revokedAt: longAgo(20), expiresAt: longAgo(1) }),
      await stored(newId(), { expiresAt: longAgo(10) }),
      await stored(newId()),
    ];
    expect(await stores.apiKeys.deleteEndedKeys(longAgo(10), 1)).toBe(1);
    expect(await stores.apiKeys.deleteEndedKeys(longAgo(10), 9)).toBe(1);
    expect(await stores.apiKeys.deleteEndedKeys(longAgo(10), 9)).toBe(0);
    for (const { hash } of [revoked, expired]) expect(await stores.apiKeys.findKeyByHash(hash)).toBeNull();
    for (const key of kept) expect(await stores.apiKeys.findKeyByHash(key.hash)).toEqual(key);
  });

  describe('with its account', () => {
    test('deleteUser takes the keys along, and no others', async () => {
      const user = newUser();
      await stores.users.createUser(user);
      const [key, other] = [await stored(user.id), await stored()];
      await stores.users.deleteUser(user.id);
      expect(await stores.apiKeys.findKeyByHash(key.hash)).toBeNull();
      expect(await stores.apiKeys.findKeyByHash(other.hash)).toEqual(other);
    });
  });
};
