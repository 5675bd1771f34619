import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import { DuplicateKeyError } from '../../../src/models/errors.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { at, firstTurn, newChat, newLogin, newTicket, newUser, storeSettledTurn, times, UGLY_TEXT } from './rows.ts';

/** What `UserStore` promises. `open` gives stores on a database that has no user yet. */
export const userStoreContract = (open: () => Promise<Stores>): void => {
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
    test('hasAdmin, before and after one is made, tells so', async () => {
      expect(await stores.users.hasAdmin()).toBe(false);
      await stored({ role: 'manager' });
      expect(await stores.users.hasAdmin()).toBe(false);
      const admin = await stored({ role: 'admin' });
      expect(await stores.users.hasAdmin()).toBe(true);
      await stores.users.deleteUser(admin.id);
      expect(await stores.users.hasAdmin()).toBe(false);
    });

    test('a user, stored and read, is the same in every field', async () => {
      const user = await stored({
        fullName: UGLY_TEXT,
        emailVerified: true,
        role: 'manager',
        status: 'disabled',
        lastLoginAt: at(5),
      });
      expect(await stores.users.findUser(user.id)).toEqual(user);
      expect(await stores.users.findUser(newId())).toBeNull();
    });

    test('findUserByLogin, given a username in any case or the e-mail address, finds the user', async () => {
      const user = await stored({ username: `Mixed_Case_${newId().slice(-8)}` });
      expect(await stores.users.findUserByLogin(user.username.toUpperCase())).toEqual(user);
      expect(await stores.users.findUserByLogin(user.email)).toEqual(user);
      expect(await stores.users.findUserByLogin(`${user.username}x`)).toBeNull();
      expect(await stores.users.findUserByLogin('')).toBeNull();
    });

    test('createUser, with a username that is taken in another case, names the field', async () => {
      const user = await stored();
      const other = newUser({ username: user.username.toUpperCase() });
      await expect(stores.users.createUser(other)).rejects.toMatchObject({ field: 'username' });
      expect(await stores.users.findUser(other.id)).toBeNull();
    });

    test('createUser, with an e-mail address that is taken, names the field', async () => {
      const user = await stored();
      const error: unknown = await stores.users
        .createUser(newUser({ email: user.email }))
        .catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(DuplicateKeyError);
      expect(error).toMatchObject({ field: 'email' });
    });

    test('createUser, 20 times at once under one name, makes one', async () => {
      const { username } = newUser();
      const outcomes = await Promise.allSettled(times(20, () => stores.users.createUser(newUser({ username }))));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ field: 'username' });
      }
    });

    test('updateUser, with some fields, changes these, sets updatedAt and returns the user', async () => {
      const user = await stored();
      const changes = { fullName: 'Ada', emailVerified: true, lastLoginAt: at(9), role: 'manager' } as const;
      const expected = { ...user, ...changes, updatedAt: at(10) };
      expect(await stores.users.updateUser(user.id, changes, at(10))).toEqual(expected);
      expect(await stores.users.findUser(user.id)).toEqual(expected);
    });

    test('updateUser, with a new name, frees the old one and finds by the new', async () => {
      const user = await stored();
      await stores.users.updateUser(user.id, { username: `${user.username}_New` }, at(1));
      expect(await stores.users.findUserByLogin(user.username)).toBeNull();
      expect((await stores.users.findUserByLogin(`${user.username}_new`))?.id).toBe(user.id);
      await stores.users.createUser(newUser({ username: user.username }));
    });

    test('updateUser, to what another user has, names the field and changes nothing', async () => {
      const taken = await stored();
      const user = await stored();
      const byName = stores.users.updateUser(user.id, { username: taken.username, fullName: 'x' }, at(1));
      await expect(byName).rejects.toMatchObject({ name: 'DuplicateKeyError', field: 'username' });
      const byEmail = stores.users.updateUser(user.id, { email: taken.email }, at(1));
      await expect(byEmail).rejects.toMatchObject({ name: 'DuplicateKeyError', field: 'email' });
      expect(await stores.users.findUser(user.id)).toEqual(user);
    });

    test('updateUser, to the own name in another case, is no duplicate', async () => {
      const user = await stored();
      const updated = await stores.users.updateUser(user.id, { username: user.username.toUpperCase() }, at(1));
      expect(updated?.username).toBe(user.username.toUpperCase());
    });

    test('updateUser, of nobody, is null', async () => {
      expect(await stores.users.updateUser(newId(), { fullName: 'x' }, at(1))).toBeNull();
    });

    test('deleteUser, of one of two owners, removes all of the one and nothing of the other', async () => {
      const owned = async () => {
        const user = await stored();
        const login = newLogin(user.id);
        const ticket = newTicket(user.id);
        const chat = newChat(user.id);
        await stores.logins.createLogin(login);
        await stores.logins.createTicket(ticket);
        await stores.chats.createChat(chat);
        const turn = firstTurn(user.id);
        const { reply } = await storeSettledTurn(stores, turn);
        return { user, login, ticket, chat, turn, reply };
      };
      const gone = await owned();
      const kept = await owned();
      const survives = async ({ user, login, chat, turn, reply }: typeof gone) => ({
        user: (await stores.users.findUser(user.id)) !== null,
        byName: (await stores.users.findUserByLogin(user.username)) !== null,
        login: (await stores.logins.findLogin(login.id)) !== null,
        chat: (await stores.chats.findChat(user.id, chat.id)) !== null,
        turn: (await stores.messages.findTurn(user.id, turn.clientMessageId)) !== null,
        reply: (await stores.messages.findMessage(user.id, reply.id)) !== null,
        messages: (await stores.messages.listMessages(user.id, turn.chatId, null, 10)).length,
      });

      expect(await stores.users.deleteUser(gone.user.id)).toBe(true);

      expect(await survives(gone)).toEqual({
        user: false,
        byName: false,
        login: false,
        chat: false,
        turn: false,
        reply: false,
        messages: 0,
      });
      expect(await stores.logins.spendTicket(gone.ticket.hash, at(0))).toBeNull();
      expect(await survives(kept)).toEqual({
        user: true,
        byName: true,
        login: true,
        chat: true,
        turn: true,
        reply: true,
        messages: 2,
      });
      expect(await stores.logins.spendTicket(kept.ticket.hash, at(0))).toEqual(kept.ticket);
    });

    test('deleteUser, twice and at once, is true once; the name is free again', async () => {
      const user = await stored();
      const outcomes = await Promise.all(times(5, () => stores.users.deleteUser(user.id)));
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      expect(await stores.users.deleteUser(user.id)).toBe(false);
      expect(await stores.users.updateUser(user.id, { fullName: 'x' }, at(1))).toBeNull();
      await stores.users.createUser(newUser({ username: user.username, email: user.email }));
    });
  });
};
