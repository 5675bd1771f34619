import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { AuditFilter, Stores } from '../../../src/models/stores.ts';
import { at, longAgo, newAuditEvent, newUser, times, UGLY_TEXT } from './rows.ts';

const ALL = { after: null, limit: 100 };
const filter = (changes: Partial<AuditFilter>): AuditFilter => ({
  actorId: null,
  ownerId: null,
  actions: [],
  from: null,
  to: null,
  ...changes,
});

/** What `AuditStore` promises. */
export const auditStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  test('events, stored and read, are the same in every field; stored again, they are there once', async () => {
    const ownerId = newId();
    const full = { actorId: newId(), targetId: newId(), requestId: 'r-1', details: { reason: UGLY_TEXT } };
    const events = [
      newAuditEvent({ ownerId, at: at(2), device: UGLY_TEXT, ...full }),
      newAuditEvent({ ownerId, at: at(1), outcome: 'failure' }),
    ];
    await stores.audit.appendEvents(events);
    await stores.audit.appendEvents([newAuditEvent({ ownerId, at: at(0) }), ...events]);
    const read = await stores.audit.listEvents(filter({ ownerId }), ALL);
    expect(read).toHaveLength(3);
    expect(read.slice(0, 2)).toEqual(events);
  });

  test('listEvents, by actor, account, actions and time, has what fits all of them', async () => {
    const [actorId, ownerId] = [newId(), newId()];
    const event = (time: number, action: string, who = {}) =>
      newAuditEvent({ at: at(time), action, actorId, ownerId, ...who });
    const events = [
      event(1, 'login.failed'),
      event(2, 'login.succeeded'),
      event(3, 'key.created'),
      event(4, 'login.failed', { actorId: null }),
      event(5, 'login.failed', { ownerId: newId() }),
    ];
    await stores.audit.appendEvents(events);
    const found = async (changes: Partial<AuditFilter>) =>
      (await stores.audit.listEvents(filter(changes), ALL)).map((item) => events.findIndex(({ id }) => id === item.id));
    expect(await found({ ownerId })).toEqual([3, 2, 1, 0]);
    expect(await found({ actorId })).toEqual([4, 2, 1, 0]);
    expect(await found({ ownerId, actions: ['login.failed'] })).toEqual([3, 0]);
    expect(await found({ ownerId, actions: ['login.failed', 'login.succeeded'] })).toEqual([3, 1, 0]);
    expect(await found({ ownerId, from: at(2), to: at(4) })).toEqual([2, 1]);
    expect(await found({ ownerId, actorId, actions: ['key.created'], from: at(3) })).toEqual([2]);
    expect(await found({ ownerId, actions: ['no.such'] })).toEqual([]);
  });

  test('listEvents, in pages, has each once, the newest first, equal times by id', async () => {
    const ownerId = newId();
    const events = times(7, (index) => newAuditEvent({ ownerId, at: at(Math.floor(index / 3)) }));
    await stores.audit.appendEvents(events);
    const expected = events.toSorted((a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : -1));
    const seen = [];
    let page = await stores.audit.listEvents(filter({ ownerId }), { after: null, limit: 2 });
    while (page.length > 0) {
      seen.push(...page);
      const last = page.at(-1)!;
      page = await stores.audit.listEvents(filter({ ownerId }), { after: { at: last.at, id: last.id }, limit: 2 });
    }
    expect(seen).toEqual(expected);
  });

  test('deleteEvents, with a limit, removes the oldest of those from before', async () => {
    const ownerId = newId();
    const events = times(5, (index) => newAuditEvent({ ownerId, at: longAgo(index) }));
    await stores.audit.appendEvents(events);
    expect(await stores.audit.deleteEvents(longAgo(3), 2)).toBe(2);
    expect(await stores.audit.deleteEvents(longAgo(3), 2)).toBe(1);
    expect(await stores.audit.deleteEvents(longAgo(3), 2)).toBe(0);
    expect(await stores.audit.listEvents(filter({ ownerId }), ALL)).toEqual([events[4], events[3]]);
  });

  test('deleteUser keeps the events, without address and device where the account’s owner was there', async () => {
    const user = newUser();
    await stores.users.createUser(user);
    const own = newAuditEvent({ actorId: user.id, ownerId: user.id, at: at(1) });
    const unknown = newAuditEvent({ actorId: null, ownerId: user.id, at: at(2) });
    const byAdmin = newAuditEvent({ actorId: newId(), ownerId: user.id, at: at(3) });
    const onAnother = newAuditEvent({ actorId: user.id, ownerId: newId(), at: at(4) });
    await stores.audit.appendEvents([own, unknown, byAdmin, onAnother]);
    await stores.users.deleteUser(user.id);
    const nowhere = { ip: '', device: '' };
    expect(await stores.audit.listEvents(filter({ ownerId: user.id }), ALL)).toEqual([
      byAdmin,
      { ...unknown, ...nowhere },
      { ...own, ...nowhere },
    ]);
    expect(await stores.audit.listEvents(filter({ actorId: user.id, ownerId: onAnother.ownerId }), ALL)).toEqual([
      { ...onAnother, ...nowhere },
    ]);
  });
};
