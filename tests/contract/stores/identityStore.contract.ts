import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import { DuplicateKeyError } from '../../../src/models/errors.ts';
import type { Stores } from '../../../src/models/stores.ts';
import { at, newIdentity, newUser, times, UGLY_TEXT } from './rows.ts';

/** What `IdentityStore` promises. */
export const identityStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const fieldOf = async (call: Promise<unknown>): Promise<string> => {
    const error = await call.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    return error instanceof DuplicateKeyError ? error.field : String(error);
  };

  test('findIdentity finds by issuer and subject together, the same in every field', async () => {
    const identity = newIdentity(newId(), { subject: UGLY_TEXT, email: null });
    await stores.identities.createIdentity(identity);
    expect(await stores.identities.findIdentity(identity.issuer, identity.subject)).toEqual(identity);
    expect(await stores.identities.findIdentity('https://other.example.com', identity.subject)).toBeNull();
    expect(await stores.identities.findIdentity(identity.issuer, identity.subject.toUpperCase())).toBeNull();
    const namesake = newIdentity(newId(), { issuer: 'https://other.example.com', subject: identity.subject });
    await stores.identities.createIdentity(namesake);
    expect(await stores.identities.findIdentity(namesake.issuer, namesake.subject)).toEqual(namesake);
  });

  test('createIdentity, 8 times at once for one issuer and subject, stores one', async () => {
    const subject = newId();
    const identities = times(8, () => newIdentity(newId(), { subject }));
    const fields = await Promise.all(identities.map((one) => fieldOf(stores.identities.createIdentity(one))));
    expect(fields.filter((field) => field === 'subject')).toHaveLength(7);
    const stored = await stores.identities.findIdentity('https://id.example.com', subject);
    expect(identities).toContainEqual(stored);
  });

  describe('createAccount', () => {
    test('stores the account with its identity', async () => {
      const user = newUser();
      const identity = newIdentity(user.id);
      await stores.identities.createAccount(user, identity);
      expect(await stores.users.findUser(user.id)).toEqual(user);
      expect(await stores.identities.listIdentities(user.id)).toEqual([identity]);
    });

    test('with a name, an address or an identity that is taken stores neither, and says which', async () => {
      const taken = newUser();
      const identity = newIdentity(taken.id);
      await stores.identities.createAccount(taken, identity);
      for (const [field, changes, subject] of [
        ['username', { username: taken.username.toUpperCase() }, newId()],
        ['email', { email: taken.email }, newId()],
        ['subject', {}, identity.subject],
      ] as const) {
        const user = newUser(changes);
        const other = newIdentity(user.id, { subject });
        expect(await fieldOf(stores.identities.createAccount(user, other))).toBe(field);
        expect(await stores.users.findUser(user.id)).toBeNull();
        expect(await stores.identities.listIdentities(user.id)).toEqual([]);
      }
      expect(await stores.users.findUser(taken.id)).toEqual(taken);
    });

    test('8 times at once for one issuer and subject leaves one account, and the names of the others free', async () => {
      const subject = newId();
      const users = times(8, () => newUser());
      const fields = await Promise.all(
        users.map((user) => fieldOf(stores.identities.createAccount(user, newIdentity(user.id, { subject })))),
      );
      expect(fields.filter((field) => field === 'subject')).toHaveLength(7);
      const found = await Promise.all(users.map((user) => stores.users.findUser(user.id)));
      expect(found.filter((user) => user !== null)).toHaveLength(1);
      const stored = await stores.identities.findIdentity('https://id.example.com', subject);
      expect(found.find((user) => user !== null)?.id).toBe(stored?.ownerId);
    });
  });

  test('listIdentities gives the owner’s own, the oldest first', async () => {
    const ownerId = newId();
    const [second, first] = [newIdentity(ownerId, { createdAt: at(2) }), newIdentity(ownerId, { createdAt: at(1) })];
    for (const one of [second, first, newIdentity(newId())]) await stores.identities.createIdentity(one);
    expect(await stores.identities.listIdentities(ownerId)).toEqual([first, second]);
  });

  test('deleteIdentity and touchIdentity are for the owner alone', async () => {
    const identity = newIdentity(newId());
    const { id, ownerId, issuer, subject } = identity;
    await stores.identities.createIdentity(identity);
    await stores.identities.touchIdentity(newId(), id, at(5));
    expect(await stores.identities.deleteIdentity(newId(), id)).toBe(false);
    expect(await stores.identities.findIdentity(issuer, subject)).toEqual(identity);
    await stores.identities.touchIdentity(ownerId, id, at(5));
    expect(await stores.identities.findIdentity(issuer, subject)).toEqual({ ...identity, lastUsedAt: at(5) });
    expect(await stores.identities.deleteIdentity(ownerId, id)).toBe(true);
    expect(await stores.identities.deleteIdentity(ownerId, id)).toBe(false);
    expect(await stores.identities.findIdentity(issuer, subject)).toBeNull();
  });

  test('deleteUser takes the identities along, so that somebody else may have them', async () => {
    const user = newUser();
    const identity = newIdentity(user.id);
    const kept = newIdentity(newId());
    await stores.identities.createAccount(user, identity);
    await stores.identities.createIdentity(kept);
    await stores.users.deleteUser(user.id);
    expect(await stores.identities.findIdentity(identity.issuer, identity.subject)).toBeNull();
    expect(await stores.identities.findIdentity(kept.issuer, kept.subject)).toEqual(kept);
    await stores.identities.createIdentity(newIdentity(newId(), { subject: identity.subject }));
  });
};
