import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { at, longAgo, newHash, newLogin, newTicket, times, UGLY_TEXT } from './rows.ts';

/** What `LoginStore` promises. */
export const loginStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const stored = async (ownerId = newId(), changes = {}) => {
    const login = newLogin(ownerId, changes);
    await stores.logins.createLogin(login);
    return login;
  };
  const rotation = (milliseconds: number) => ({
    tokenHash: newHash(),
    rotatedAt: at(milliseconds),
    idleExpiresAt: at(milliseconds + 1_000),
  });

  describe('logins', () => {
    test('a login, stored and read by its id alone, is the same in every field', async () => {
      const login = await stored(newId(), { device: UGLY_TEXT });
      expect(await stores.logins.findLogin(login.id)).toEqual(login);
      expect(await stores.logins.findLogin(newId())).toBeNull();
    });

    test('rotateLogin, from the present generation, makes the next one good', async () => {
      const login = await stored();
      const next = rotation(60_000);
      expect(await stores.logins.rotateLogin(login.id, 0, next)).toBe(true);
      const expected = { ...login, ...next, generation: 1, lastSeenAt: next.rotatedAt };
      expect(await stores.logins.findLogin(login.id)).toEqual(expected);
    });

    test('rotateLogin, from a spent generation or of no login, is false and changes nothing', async () => {
      const login = await stored();
      await stores.logins.rotateLogin(login.id, 0, rotation(1));
      const before = await stores.logins.findLogin(login.id);
      expect(await stores.logins.rotateLogin(login.id, 0, rotation(2))).toBe(false);
      expect(await stores.logins.rotateLogin(login.id, 2, rotation(2))).toBe(false);
      expect(await stores.logins.rotateLogin(newId(), 0, rotation(2))).toBe(false);
      expect(await stores.logins.findLogin(login.id)).toEqual(before);
    });

    test('rotateLogin, 20 times at once from one generation, succeeds once and keeps the winner', async () => {
      const login = await stored();
      const rotations = times(20, (index) => rotation(index));
      const outcomes = await Promise.all(rotations.map((next) => stores.logins.rotateLogin(login.id, 0, next)));
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      const winner = rotations[outcomes.indexOf(true)];
      expect(await stores.logins.findLogin(login.id)).toMatchObject({ generation: 1, tokenHash: winner?.tokenHash });
    });

    test('endLogin, by its owner, ends it once; it is still found and cannot be rotated', async () => {
      const login = await stored();
      expect(await stores.logins.endLogin(login.ownerId, login.id, at(7))).toBe(true);
      expect(await stores.logins.endLogin(login.ownerId, login.id, at(8))).toBe(false);
      expect(await stores.logins.findLogin(login.id)).toEqual({ ...login, endedAt: at(7) });
      expect(await stores.logins.rotateLogin(login.id, 0, rotation(9))).toBe(false);
    });

    test('endLogin, by another owner, is false and ends nothing', async () => {
      const login = await stored();
      expect(await stores.logins.endLogin(newId(), login.id, at(7))).toBe(false);
      expect(await stores.logins.endLogin(login.ownerId, newId(), at(7))).toBe(false);
      expect(await stores.logins.findLogin(login.id)).toEqual(login);
    });

    test('endLogins, but for one, ends the live ones of the owner and returns these', async () => {
      const ownerId = newId();
      const [first, second, kept, ended] = await Promise.all(times(4, () => stored(ownerId)));
      const foreign = await stored();
      if (!first || !second || !kept || !ended) throw new Error('four logins were stored');
      await stores.logins.endLogin(ownerId, ended.id, at(1));
      const ids = await stores.logins.endLogins(ownerId, at(2), kept.id);
      expect(ids.toSorted()).toEqual([first.id, second.id].toSorted());
      expect(await stores.logins.findLogin(first.id)).toEqual({ ...first, endedAt: at(2) });
      expect(await stores.logins.findLogin(kept.id)).toEqual(kept);
      expect(await stores.logins.findLogin(ended.id)).toEqual({ ...ended, endedAt: at(1) });
      expect(await stores.logins.findLogin(foreign.id)).toEqual(foreign);
      expect(await stores.logins.endLogins(ownerId, at(3), null)).toEqual([kept.id]);
      expect(await stores.logins.endLogins(ownerId, at(4), null)).toEqual([]);
    });

    test('endLogins, twice at once, returns each login once', async () => {
      const ownerId = newId();
      const logins = await Promise.all(times(10, () => stored(ownerId)));
      const ids = await Promise.all(times(3, () => stores.logins.endLogins(ownerId, at(1), null)));
      expect(ids.flat().toSorted()).toEqual(logins.map(({ id }) => id).toSorted());
    });
  });

  describe('tickets', () => {
    test('spendTicket, 20 times at once, gives it to one and null to the others', async () => {
      const ticket = newTicket(newId(), { loginId: newId() });
      await stores.logins.createTicket(ticket);
      const outcomes = await Promise.all(times(20, () => stores.logins.spendTicket(ticket.hash, at(0))));
      expect(outcomes.filter((outcome) => outcome !== null)).toEqual([ticket]);
      expect(await stores.logins.spendTicket(ticket.hash, at(0))).toBeNull();
    });

    test('spendTicket, when it has expired or never was, is null', async () => {
      const ticket = newTicket(newId(), { expiresAt: at(10) });
      await stores.logins.createTicket(ticket);
      expect(await stores.logins.spendTicket(ticket.hash, at(10))).toBeNull();
      expect(await stores.logins.spendTicket(newHash(), at(0))).toBeNull();
    });

    test('deleteExpired, with a limit, removes so many expired tickets and logins and no others', async () => {
      const ownerId = newId();
      const [now, before, after] = [longAgo(100), longAgo(99), longAgo(101)];
      const expired = newTicket(ownerId, { expiresAt: before });
      const good = newTicket(ownerId, { expiresAt: after });
      await stores.logins.createTicket(expired);
      await stores.logins.createTicket(good);
      const old = await stored(ownerId, { idleExpiresAt: before, expiresAt: before, endedAt: longAgo(5) });
      const idle = await stored(ownerId, { idleExpiresAt: before, expiresAt: after });
      const live = await stored(ownerId, { idleExpiresAt: after, expiresAt: after });
      const atTheMoment = await stored(ownerId, { idleExpiresAt: now, expiresAt: now });

      expect(await stores.logins.deleteExpired(now, 2)).toBe(2);
      expect(await stores.logins.deleteExpired(now, 100)).toBe(1);
      expect(await stores.logins.deleteExpired(now, 100)).toBe(0);

      expect(await stores.logins.spendTicket(expired.hash, longAgo(0))).toBeNull();
      expect(await stores.logins.spendTicket(good.hash, longAgo(0))).toEqual(good);
      expect(await stores.logins.findLogin(old.id)).toBeNull();
      expect(await stores.logins.findLogin(idle.id)).toBeNull();
      expect(await stores.logins.findLogin(live.id)).toEqual(live);
      expect(await stores.logins.findLogin(atTheMoment.id)).toEqual(atTheMoment);
    });
  });
};
