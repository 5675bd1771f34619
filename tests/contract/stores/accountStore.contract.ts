import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import { LastAdminError } from '../../../src/models/errors.ts';
import type { Stores, UserPage } from '../../../src/models/stores.ts';
import { at, firstTurn, newLogin, newUser, storeSettledTurn, times } from './rows.ts';
import { newRecord } from './usageRows.ts';

const ALL = { after: null, limit: 100 };
const page = (changes: Partial<UserPage>): UserPage => ({ query: null, role: null, status: null, ...ALL, ...changes });

/** What `UserStore` and `LoginStore` promise to admins, and to users who look after their account. */
export const accountStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const stored = async (changes = {}) => {
    const user = newUser(changes);
    await stores.users.createUser(user);
    return user;
  };

  describe('users', () => {
    test('updateAccount, of the only active admin, is refused whatever takes that away, and changes nothing', async () => {
      const admin = await stored({ role: 'admin' });
      await stored({ role: 'admin', status: 'disabled' });
      for (const changes of [{ role: 'manager' }, { status: 'disabled' }] as const) {
        await expect(stores.users.updateAccount(admin.id, changes, at(1))).rejects.toBeInstanceOf(LastAdminError);
      }
      expect(await stores.users.findUser(admin.id)).toEqual(admin);
      const changes = { fullName: 'Ada', role: 'admin', emailVerified: true } as const;
      expect(await stores.users.updateAccount(admin.id, changes, at(2))).toEqual({
        ...admin,
        ...changes,
        updatedAt: at(2),
      });
      expect(await stores.users.updateAccount(newId(), { role: 'user' }, at(3))).toBeNull();
    });

    test('updateAccount, of several admins at once, leaves one', async () => {
      const admins = [
        await stored({ role: 'admin' }),
        await stored({ role: 'admin' }),
        await stored({ role: 'admin' }),
      ];
      const all = await stores.users.listUsers(page({ role: 'admin', status: 'active' }));
      await Promise.allSettled(all.map(({ id }) => stores.users.updateAccount(id, { role: 'user' }, at(4))));
      const left = await stores.users.listUsers(page({ role: 'admin', status: 'active' }));
      expect(left.length).toBeGreaterThanOrEqual(1);
      expect(admins).toHaveLength(3);
    });

    test('updatePasswordHash, from the hash that is stored, changes it; from another, nothing', async () => {
      const user = await stored();
      expect(await stores.users.updatePasswordHash(user.id, 'scheme$other', 'scheme$new', at(1))).toBe(false);
      expect(await stores.users.updatePasswordHash(newId(), user.passwordHash, 'scheme$new', at(1))).toBe(false);
      expect(await stores.users.findUser(user.id)).toEqual(user);
      expect(await stores.users.updatePasswordHash(user.id, user.passwordHash, 'scheme$new', at(1))).toBe(true);
      expect(await stores.users.findUser(user.id)).toEqual({ ...user, passwordHash: 'scheme$new', updatedAt: at(1) });
    });

    test('updatePasswordHash, 10 times at once from one hash, changes it once', async () => {
      const user = await stored();
      const outcomes = await Promise.all(
        times(10, (index) =>
          stores.users.updatePasswordHash(user.id, user.passwordHash, `scheme$${String(index)}`, at(1)),
        ),
      );
      expect(outcomes.filter(Boolean)).toHaveLength(1);
    });

    test('listUsers, by text, role and status and in pages, has what fits, the newest first', async () => {
      const mark = newId().slice(-12);
      const made = [
        await stored({ username: `A_${mark}`, createdAt: at(1) }),
        await stored({ email: `b.${mark}@example.com`, createdAt: at(2), role: 'manager' }),
        await stored({ username: `c_${mark}`, createdAt: at(2), status: 'disabled' }),
        await stored({ username: `d%_${mark.slice(1)}x`, createdAt: at(3) }),
      ].slice(0, 3);
      const query = mark.toUpperCase();
      const expected = made.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1));
      expect(await stores.users.listUsers(page({ query }))).toEqual(expected);
      expect(await stores.users.listUsers(page({ query: `a_${mark}` }))).toEqual([made[0]]);
      expect(await stores.users.listUsers(page({ query, role: 'manager' }))).toEqual([made[1]]);
      expect(await stores.users.listUsers(page({ query, status: 'disabled' }))).toEqual([made[2]]);
      expect(await stores.users.listUsers(page({ query, role: 'manager', status: 'disabled' }))).toEqual([]);
      for (const nobody of [`%${mark}`, `.*${mark}`, `${mark}_`]) {
        expect(await stores.users.listUsers(page({ query: nobody }))).toEqual([]);
      }
      const [first] = await stores.users.listUsers(page({ query, limit: 1 }));
      const after = { at: first!.createdAt, id: first!.id };
      expect(await stores.users.listUsers(page({ query, after }))).toEqual(expected.slice(1));
    });

    test('countUsers and countChats, before and after more are made, tell how many', async () => {
      const before = { ...(await stores.users.countUsers()), ...(await stores.chats.countChats()) };
      const user = await stored({ role: 'admin', status: 'disabled' });
      await storeSettledTurn(stores, firstTurn(user.id));
      expect({ ...(await stores.users.countUsers()), ...(await stores.chats.countChats()) }).toEqual({
        total: before.total + 1,
        disabled: before.disabled + 1,
        admins: before.admins + 1,
        chats: before.chats + 1,
        messages: before.messages + 2,
      });
    });
  });

  test('findUsageOfDay adds up what everybody used that day, and nothing of others', async () => {
    const day = (date: string) => ({ at: new Date(`${date}T12:00:00Z`) });
    const records = [
      newRecord(newId(), day('1991-02-03')),
      newRecord(newId(), { ...day('1991-02-03'), model: 'maker/other', totalTokens: 2, costMicroUsd: 8 }),
      newRecord(newId(), day('1991-02-04')),
    ];
    await stores.usage.appendUsage({ records, ended: [], released: [], nodeId: 'node-1', number: 1 });
    expect(await stores.usage.findUsageOfDay('1991-02-03')).toEqual({ tokens: 20, costMicroUsd: 50 });
    expect(await stores.usage.findUsageOfDay('1991-02-05')).toEqual({ tokens: 0, costMicroUsd: 0 });
  });

  describe('logins', () => {
    const loginOf = async (ownerId: string, changes = {}) => {
      const login = newLogin(ownerId, changes);
      await stores.logins.createLogin(login);
      return login;
    };

    test('listLogins, in pages, has those of the owner that are good then, the newest first', async () => {
      const ownerId = newId();
      const logins = [];
      for (const time of [1, 2, 2]) logins.push(await loginOf(ownerId, { createdAt: at(time) }));
      await loginOf(ownerId, { endedAt: at(1) });
      await loginOf(ownerId, { idleExpiresAt: at(10) });
      await loginOf(ownerId, { expiresAt: at(10), idleExpiresAt: at(11) });
      await loginOf(newId());
      const expected = logins.toSorted(
        (a, b) => b.createdAt.getTime() - a.createdAt.getTime() || (a.id < b.id ? 1 : -1),
      );
      expect(await stores.logins.listLogins(ownerId, ALL, at(10))).toEqual(expected);
      const after = { at: expected[0]!.createdAt, id: expected[0]!.id };
      expect(await stores.logins.listLogins(ownerId, { after, limit: 1 }, at(10))).toEqual([expected[1]]);
      expect(await stores.logins.listLogins(ownerId, ALL, at(9))).toHaveLength(5);
    });

    test('endOldestLogins ends all but the last seen, and no ended, expired or foreign one', async () => {
      const ownerId = newId();
      const logins = [];
      for (const time of [5, 1, 4, 2, 3]) logins.push(await loginOf(ownerId, { lastSeenAt: at(time) }));
      await loginOf(ownerId, { endedAt: at(6), lastSeenAt: at(0) });
      await loginOf(ownerId, { idleExpiresAt: at(6), lastSeenAt: at(9) });
      const other = await loginOf(newId(), { lastSeenAt: at(0) });
      expect(await stores.logins.endOldestLogins(ownerId, 5, at(10))).toEqual([]);
      const ended = await stores.logins.endOldestLogins(ownerId, 3, at(10));
      expect(ended.toSorted()).toEqual([logins[1]!.id, logins[3]!.id].toSorted());
      expect(await stores.logins.findLogin(logins[1]!.id)).toMatchObject({ endedAt: at(10) });
      expect((await stores.logins.listLogins(ownerId, ALL, at(10))).map(({ id }) => id).toSorted()).toEqual(
        [logins[0]!.id, logins[2]!.id, logins[4]!.id].toSorted(),
      );
      expect(await stores.logins.findLogin(other.id)).toEqual(other);
    });

    test('touchLogins moves the last sight forward, never back', async () => {
      const login = await loginOf(newId());
      await stores.logins.touchLogins([
        { id: login.id, at: at(60_000) },
        { id: newId(), at: at(60_000) },
      ]);
      await stores.logins.touchLogins([{ id: login.id, at: at(30_000) }]);
      expect(await stores.logins.findLogin(login.id)).toEqual({ ...login, lastSeenAt: at(60_000) });
    });
  });
};
