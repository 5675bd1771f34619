import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { at, longAgo, newMailToken, newUser, times } from './rows.ts';

/** What `MailTokenStore` promises, and `verifyEmail` of the `UserStore`. */
export const mailTokenStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const put = async (...args: Parameters<typeof newMailToken>) => {
    const token = newMailToken(...args);
    await stores.mailTokens.putMailToken(token);
    return token;
  };

  test('a token, spent 20 times at once, is given to exactly one, the same in every field', async () => {
    const token = await put(newId());
    const spent = await Promise.all(times(20, () => stores.mailTokens.spendMailToken('verify', token.hash, at(0))));
    expect(spent.filter((one) => one !== null)).toEqual([token]);
  });

  test('a token, spent as one of another kind, stays good for its own', async () => {
    const token = await put(newId(), { kind: 'reset' });
    expect(await stores.mailTokens.spendMailToken('verify', token.hash, at(0))).toBeNull();
    expect(await stores.mailTokens.spendMailToken('reset', token.hash, at(0))).toEqual(token);
  });

  test('a token at its end, spent, is null', async () => {
    const token = await put(newId(), { expiresAt: at(5) });
    expect(await stores.mailTokens.spendMailToken('verify', token.hash, at(5))).toBeNull();
  });

  test('a new token voids the older ones of its owner and kind, and no others', async () => {
    const ownerId = newId();
    const old = await put(ownerId);
    const kept = [await put(ownerId, { kind: 'reset' }), await put(newId())];
    const token = await put(ownerId, { email: 'new@example.com', expiresAt: at(60_000) });
    expect(await stores.mailTokens.spendMailToken('verify', old.hash, at(0))).toBeNull();
    for (const one of [token, ...kept]) {
      expect(await stores.mailTokens.spendMailToken(one.kind, one.hash, at(0))).toEqual(one);
    }
  });

  test('tokens of one owner and kind, put at once, leave one that is good', async () => {
    const ownerId = newId();
    const tokens = await Promise.all(times(8, () => put(ownerId)));
    const spent = [];
    for (const { hash } of tokens) spent.push(await stores.mailTokens.spendMailToken('verify', hash, at(0)));
    expect(spent.filter((one) => one !== null)).toHaveLength(1);
  });

  test('dropMailToken voids what the owner has of the kind, and no others; again is harmless', async () => {
    const ownerId = newId();
    const [dropped, reset, other] = [await put(ownerId), await put(ownerId, { kind: 'reset' }), await put(newId())];
    await stores.mailTokens.dropMailToken(ownerId, 'verify');
    await stores.mailTokens.dropMailToken(ownerId, 'verify');
    expect(await stores.mailTokens.spendMailToken('verify', dropped.hash, at(0))).toBeNull();
    expect(await stores.mailTokens.spendMailToken('reset', reset.hash, at(0))).toEqual(reset);
    expect(await stores.mailTokens.spendMailToken('verify', other.hash, at(0))).toEqual(other);
  });

  test('deleteMailTokens, with a limit, removes so many that expired before, and no others', async () => {
    for (const time of [1, 2]) await put(newId(), { expiresAt: longAgo(time) });
    const kept = await put(newId(), { expiresAt: longAgo(10) });
    expect(await stores.mailTokens.deleteMailTokens(longAgo(10), 1)).toBe(1);
    expect(await stores.mailTokens.deleteMailTokens(longAgo(10), 9)).toBe(1);
    expect(await stores.mailTokens.deleteMailTokens(longAgo(10), 9)).toBe(0);
    expect(await stores.mailTokens.spendMailToken('verify', kept.hash, longAgo(0))).toEqual(kept);
  });

  describe('with its account', () => {
    test('deleteUser takes the tokens along, and no others', async () => {
      const user = newUser();
      await stores.users.createUser(user);
      const [token, other] = [await put(user.id), await put(newId())];
      await stores.users.deleteUser(user.id);
      expect(await stores.mailTokens.spendMailToken('verify', token.hash, at(0))).toBeNull();
      expect(await stores.mailTokens.spendMailToken('verify', other.hash, at(0))).toEqual(other);
    });

    test('verifyEmail is for the address that the account has, and for no other', async () => {
      const user = newUser({ emailVerified: false });
      await stores.users.createUser(user);
      expect(await stores.users.verifyEmail(user.id, 'other@example.com', at(1))).toBe(false);
      expect(await stores.users.verifyEmail(newId(), user.email, at(1))).toBe(false);
      expect(await stores.users.findUser(user.id)).toEqual(user);
      expect(await stores.users.verifyEmail(user.id, user.email, at(2))).toBe(true);
      expect(await stores.users.findUser(user.id)).toEqual({ ...user, emailVerified: true, updatedAt: at(2) });
      expect(await stores.users.verifyEmail(user.id, user.email, at(3))).toBe(true);
    });
  });
};
