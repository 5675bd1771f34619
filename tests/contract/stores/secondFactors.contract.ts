import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { SecondFactor } from '../../../src/models/entities.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { at, newFactor, newHash, newUser, times } from './rows.ts';

/** What `SecondFactorStore` promises, and what users tell of it. */
export const secondFactorStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const makeUser = async (): Promise<string> => {
    const user = newUser();
    await stores.users.createUser(user);
    return user.id;
  };
  const enabled = async (changes: Partial<SecondFactor> = {}): Promise<SecondFactor> => {
    const factor = newFactor(await makeUser(), changes);
    expect(await stores.secondFactors.enableFactor(factor)).toBe(true);
    return factor;
  };
  const find = (ownerId: string) => stores.secondFactors.findFactor(ownerId);
  const isOn = async (ownerId: string) => (await stores.users.findUser(ownerId))?.mfaEnabled;

  test('a factor, enabled, comes back the same in every field, and its user is changed and tells that there is one', async () => {
    const user = newUser();
    await stores.users.createUser(user);
    const factor = newFactor(user.id, { enabledAt: at(7) });
    expect(await find(user.id)).toBeNull();
    expect(await stores.secondFactors.enableFactor(factor)).toBe(true);
    expect(await find(user.id)).toEqual(factor);
    const changed = { ...user, mfaEnabled: true, updatedAt: at(7) };
    expect(await stores.users.findUser(user.id)).toEqual(changed);
    expect(await stores.users.findUserByLogin(user.email)).toEqual(changed);
    const { id } = user;
    const listed = await stores.users.listUsers({ query: user.email, role: null, status: null, after: null, limit: 2 });
    expect(listed).toEqual([changed]);
    expect(await stores.users.updateUser(id, { fullName: 'A' }, at(8))).toMatchObject({ mfaEnabled: true });
    expect(await stores.users.updateAccount(id, { fullName: 'B' }, at(9))).toMatchObject({ mfaEnabled: true });
    expect(await find(user.id)).toEqual(factor);
  });

  test('of 8 factors, enabled at once for one user, one is on; nobody without an account gets one', async () => {
    const ownerId = await makeUser();
    const factors = times(8, () => newFactor(ownerId));
    const results = await Promise.all(factors.map((factor) => stores.secondFactors.enableFactor(factor)));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await find(ownerId)).toEqual(factors[results.indexOf(true)]);
    const nobody = newFactor(newId());
    expect(await stores.secondFactors.enableFactor(nobody)).toBe(false);
    expect(await find(nobody.ownerId)).toBeNull();
  });

  test('a step, spent 20 times at once, is given to exactly one', async () => {
    const { ownerId, id, lastStep } = await enabled();
    const results = await Promise.all(times(20, () => stores.secondFactors.spendStep(ownerId, id, lastStep + 1)));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect((await find(ownerId))?.lastStep).toBe(lastStep + 1);
  });

  test('a step that is not newer, of another factor or of another owner, is not spent', async () => {
    const factor = await enabled();
    const { ownerId, id, lastStep } = factor;
    const other = await enabled();
    expect(await stores.secondFactors.spendStep(ownerId, id, lastStep)).toBe(false);
    expect(await stores.secondFactors.spendStep(ownerId, id, lastStep - 1)).toBe(false);
    expect(await stores.secondFactors.spendStep(ownerId, newId(), lastStep + 1)).toBe(false);
    expect(await stores.secondFactors.spendStep(other.ownerId, id, lastStep + 1)).toBe(false);
    expect([await find(ownerId), await find(other.ownerId)]).toEqual([factor, other]);
    expect(await stores.secondFactors.spendStep(ownerId, id, lastStep + 2)).toBe(true);
    expect(await stores.secondFactors.spendStep(ownerId, id, lastStep + 1)).toBe(false);
  });

  test('a recovery code, spent 20 times at once, is given to exactly one, and the others stay', async () => {
    const factor = await enabled();
    const [first = '', second = '', third = ''] = factor.recoveryHashes;
    const results = await Promise.all(times(20, () => stores.secondFactors.spendRecoveryCode(factor.ownerId, second)));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect(await find(factor.ownerId)).toEqual({ ...factor, recoveryHashes: [first, third] });
  });

  test('recovery codes, spent at once, are all taken; one of somebody else or of nobody is not', async () => {
    const factor = await enabled();
    const other = await enabled();
    const { ownerId, recoveryHashes } = factor;
    for (const hash of [...other.recoveryHashes, newHash()]) {
      expect(await stores.secondFactors.spendRecoveryCode(ownerId, hash)).toBe(false);
    }
    const spend = (hash: string) => stores.secondFactors.spendRecoveryCode(ownerId, hash);
    expect(await Promise.all(recoveryHashes.map(spend))).toEqual([true, true, true]);
    expect(await find(ownerId)).toEqual({ ...factor, recoveryHashes: [] });
    expect(await find(other.ownerId)).toEqual(other);
  });

  test('disableFactor takes it away once, and nobody else’s; then another can be enabled', async () => {
    const { ownerId } = await enabled();
    const other = await enabled();
    const results = await Promise.all(times(5, () => stores.secondFactors.disableFactor(ownerId, at(5))));
    expect(results.filter(Boolean)).toHaveLength(1);
    expect([await find(ownerId), await isOn(ownerId), await isOn(other.ownerId)]).toEqual([null, false, true]);
    expect((await stores.users.findUser(ownerId))?.updatedAt).toEqual(at(5));
    const next = newFactor(ownerId);
    expect(await stores.secondFactors.enableFactor(next)).toBe(true);
    expect(await find(ownerId)).toEqual(next);
  });

  test('what is spent of a factor that is off, is not', async () => {
    const { ownerId, id, lastStep, secret, recoveryHashes } = await enabled();
    await stores.secondFactors.disableFactor(ownerId, at(1));
    expect(await stores.secondFactors.spendStep(ownerId, id, lastStep + 1)).toBe(false);
    expect(await stores.secondFactors.spendRecoveryCode(ownerId, recoveryHashes[0] ?? '')).toBe(false);
    expect(await stores.secondFactors.replaceSecret(ownerId, secret, { secret: 's', keyId: 'k' })).toBe(false);
    expect(await find(ownerId)).toBeNull();
  });

  test('listFactorsByKey, with a limit, finds those under a key, and no longer one whose secret was replaced', async () => {
    const [old, fresh] = [newHash(), newHash()];
    const factors = [await enabled({ keyId: old }), await enabled({ keyId: old }), await enabled({ keyId: fresh })];
    expect(await stores.secondFactors.listFactorsByKey(old, 1)).toHaveLength(1);
    const byId = (a: SecondFactor, b: SecondFactor): number => (a.id < b.id ? -1 : 1);
    expect((await stores.secondFactors.listFactorsByKey(old, 9)).toSorted(byId)).toEqual(factors.slice(0, 2));
    const [one] = factors;
    const to = { secret: 'sealed anew', keyId: fresh };
    expect(await stores.secondFactors.replaceSecret(one!.ownerId, 'other', to)).toBe(false);
    expect(await stores.secondFactors.replaceSecret(one!.ownerId, one!.secret, to)).toBe(true);
    expect(await find(one!.ownerId)).toEqual({ ...one, ...to });
    expect(await stores.secondFactors.listFactorsByKey(old, 9)).toEqual([factors[1]]);
  });

  describe('with its account', () => {
    test('deleteUser takes it along', async () => {
      const factor = await enabled({ keyId: newHash() });
      await stores.users.deleteUser(factor.ownerId);
      expect(await find(factor.ownerId)).toBeNull();
      expect(await stores.secondFactors.listFactorsByKey(factor.keyId, 9)).toEqual([]);
      expect(await stores.secondFactors.enableFactor(factor)).toBe(false);
    });
  });
};
