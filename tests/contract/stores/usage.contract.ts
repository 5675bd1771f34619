import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { UsageRecord } from '../../../src/models/entities.ts';
import type { NewTurn, Reservation, Stores, UsageBatch } from '../../../src/models/stores.ts';
import { at, firstTurn, newTurn, newUser, replyEnd, times, UGLY_TEXT } from './rows.ts';
import { newRecord, reservation } from './usageRows.ts';

const NODE = 'node-1';
const TODAY = at(0).toISOString().slice(0, 10);
const DAY_MS = 86_400_000;

const everything = { from: new Date(0), to: at(1000 * DAY_MS), after: null, limit: 1000 };

/** What `UsageStore` promises, and `appendTurn` of reservations. */
export const usageStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  let batches = 0;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const append = (records: readonly UsageRecord[], over: Partial<UsageBatch> = {}): Promise<void> =>
    stores.usage.appendUsage({ nodeId: NODE, number: (batches += 1), records, ended: [], released: [], ...over });
  const list = (ownerId: string) => stores.usage.listUsage(ownerId, everything);
  const days = (ownerId: string) => stores.usage.listUsageDays(ownerId, '1990-01-01', '2099-01-01');

  describe('the books', () => {
    test('a record, stored and read, is the same in every field', async () => {
      const ownerId = newId();
      const full = newRecord(ownerId, { reason: UGLY_TEXT, estimated: true });
      const bare = newRecord(ownerId, {
        at: at(1),
        kind: 'completion',
        chatId: null,
        messageId: null,
        provider: null,
        generationId: null,
        firstTokenMs: null,
        outcome: 'failed',
        reason: 'timeout',
      });
      await append([full, bare]);
      expect(await list(ownerId)).toEqual([bare, full]);
      expect(await list(newId())).toEqual([]);
    });

    test('listUsage, page by page with equal times, gives each record of the period once, the newest first', async () => {
      const ownerId = newId();
      const records = times(7, (i) => newRecord(ownerId, { at: at(Math.floor(i / 3)) }));
      await append([...records, newRecord(ownerId, { at: at(-1) }), newRecord(ownerId, { at: at(3) })]);
      const read: UsageRecord[] = [];
      for (let after: { at: Date; id: string } | null = null; ;) {
        const page: UsageRecord[] = await stores.usage.listUsage(ownerId, { from: at(0), to: at(3), after, limit: 2 });
        read.push(...page);
        const last = page.at(-1);
        if (!last) break;
        after = { at: last.at, id: last.id };
      }
      const newestFirst = [...records].sort((a, b) => b.at.getTime() - a.at.getTime() || (a.id < b.id ? 1 : -1));
      expect(read).toEqual(newestFirst);
    });

    test('the counters, of many records, add them up by day and model', async () => {
      const ownerId = newId();
      const other = 'maker/other';
      await append([newRecord(ownerId), newRecord(ownerId, { number: 2, estimated: true, costMicroUsd: 0 })]);
      await append([newRecord(ownerId), newRecord(ownerId, { model: other, at: at(DAY_MS) }), newRecord(newId())]);
      const one = { promptTokens: 11, completionTokens: 7, totalTokens: 18, reasoningTokens: 3, cachedTokens: 2 };
      const three = { promptTokens: 33, completionTokens: 21, totalTokens: 54, reasoningTokens: 9, cachedTokens: 6 };
      expect(await days(ownerId)).toEqual([
        { day: TODAY, model: 'maker/model:free', requests: 2, attempts: 3, estimated: 1, ...three, costMicroUsd: 84 },
        { day: '2026-01-03', model: other, requests: 1, attempts: 1, estimated: 0, ...one, costMicroUsd: 42 },
      ]);
      expect(await stores.usage.listUsageDays(ownerId, '2026-01-03', '2026-01-03')).toHaveLength(1);
      expect(await stores.usage.listUsageDays(ownerId, '2026-01-04', '2026-02-03')).toEqual([]);
    });

    test('a batch, written again and again, also at once, counts once', async () => {
      const ownerId = newId();
      const batch = { nodeId: NODE, number: (batches += 1), records: [newRecord(ownerId)], ended: [], released: [] };
      await Promise.all(times(5, () => stores.usage.appendUsage(batch)));
      await stores.usage.appendUsage(batch);
      expect(await list(ownerId)).toEqual(batch.records);
      expect(await days(ownerId)).toMatchObject([{ attempts: 1, totalTokens: 18 }]);
    });

    test('batches of several nodes at once, all to one day, lose nothing', async () => {
      const ownerId = newId();
      const node = (name: string) => async () => {
        for (let number = 1; number <= 5; number += 1) {
          await stores.usage.appendUsage({
            nodeId: name,
            number,
            records: [newRecord(ownerId)],
            ended: [],
            released: [],
          });
        }
      };
      await Promise.all(times(4, (i) => node(`many-${String(i)}`)()));
      expect(await list(ownerId)).toHaveLength(20);
      expect(await days(ownerId)).toMatchObject([{ attempts: 20, totalTokens: 360, costMicroUsd: 840 }]);
    });

    test('deleteUsage, of what is before a day, takes records and counters of it and no others', async () => {
      const ownerId = newId();
      const old = (day: number) => newRecord(ownerId, { at: new Date(Date.UTC(1990, 0, day, 23, 59)) });
      const kept = newRecord(ownerId, { at: new Date(Date.UTC(1990, 0, 4)) });
      await append([old(1), old(2), old(2), old(3), kept]);
      expect(await stores.usage.deleteUsage('1990-01-04', 2)).toBe(2);
      expect(await stores.usage.deleteUsage('1990-01-04', 2)).toBe(1);
      expect(await stores.usage.deleteUsage('1990-01-04', 2)).toBe(0);
      expect(await list(ownerId)).toEqual([kept]);
      expect(await days(ownerId)).toMatchObject([{ day: '1990-01-04' }]);
    });

    test('deleteUser, of an account with books and reservations, takes them along', async () => {
      const user = newUser();
      await stores.users.createUser(user);
      await append([newRecord(user.id), newRecord(user.id, { model: 'maker/other' })]);
      await stores.usage.reserve(user.id, newId(), reservation({ tokensPerDay: 1000 }), at(0));
      await stores.users.deleteUser(user.id);
      expect(await list(user.id)).toEqual([]);
      expect(await days(user.id)).toEqual([]);
      expect(await stores.usage.findQuotaUse(user.id, at(0))).toEqual({
        tokens: 0,
        costMicroUsd: 0,
        reservedTokens: 0,
        reservedCostMicroUsd: 0,
        concurrentReplies: 0,
      });
    });
  });

  describe('daily quotas', () => {
    const limits = { tokensPerDay: 19 };

    test('reserve, with one token left, lets one of 20 in and says that it is not used up', async () => {
      const ownerId = newId();
      await append([newRecord(ownerId)]);
      const outcomes = await Promise.allSettled(
        times(20, () => stores.usage.reserve(ownerId, newId(), reservation(limits), at(0))),
      );
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(refused).toHaveLength(19);
      for (const { reason } of refused) {
        expect(reason).toMatchObject({ name: 'QuotaError', quota: 'tokensPerDay', isUsedUp: false });
      }
    });

    test('appendTurn, with one token left, stores one of 10 turns in 10 chats, and nothing of the others', async () => {
      const ownerId = newId();
      await append([newRecord(ownerId)]);
      const turns = times(10, () => firstTurn(ownerId, { reservation: reservation(limits), at: at(0) }));
      const outcomes = await Promise.allSettled(turns.map((turn) => stores.messages.appendTurn(turn)));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const page = { sort: '-updatedAt', titleQuery: null, after: null, limit: 20 } as const;
      expect(await stores.chats.listChats(ownerId, page)).toHaveLength(1);
      const known = await Promise.all(turns.map((t) => stores.messages.findTurn(ownerId, t.clientMessageId)));
      expect(known.filter(Boolean)).toHaveLength(1);
    });

    test('appendTurn, of a known turn without anything left, gives the first one and reserves nothing', async () => {
      const ownerId = newId();
      const turn = firstTurn(ownerId, { reservation: reservation(limits), at: at(0) });
      await stores.messages.appendTurn(turn);
      const again = { ...turn, reply: { id: newId(), model: null }, chatId: newId() };
      expect(await stores.messages.appendTurn(again)).toMatchObject({ created: false });
      expect(await stores.usage.findQuotaUse(ownerId, at(0))).toMatchObject({ reservedTokens: 100 });
    });

    test('a reservation, released with its books, leaves what was used and nothing else', async () => {
      const ownerId = newId();
      const id = newId();
      await stores.usage.reserve(ownerId, id, reservation(limits), at(0));
      await expect(stores.usage.reserve(ownerId, newId(), reservation(limits), at(0))).rejects.toThrow(/quota/);
      const released = [
        { ownerId, id },
        { ownerId, id: newId() },
      ];
      await append([newRecord(ownerId)], { released });
      expect(await stores.usage.findQuotaUse(ownerId, at(0))).toMatchObject({ tokens: 18, reservedTokens: 0 });
      await stores.usage.reserve(ownerId, newId(), reservation(limits), at(0));
    });

    test('a used-up quota, refuses as used up, and lets in the next day', async () => {
      const ownerId = newId();
      await append([newRecord(ownerId, { totalTokens: 19 })]);
      const wanted = reservation(limits, { until: at(2 * DAY_MS) });
      await expect(stores.usage.reserve(ownerId, newId(), wanted, at(0))).rejects.toMatchObject({ isUsedUp: true });
      await stores.usage.reserve(ownerId, newId(), wanted, at(DAY_MS));
    });

    test('the cost quota, on its own, counts cost and not tokens', async () => {
      const ownerId = newId();
      const cost = { costMicroUsdPerDay: 43 };
      await append([newRecord(ownerId, { totalTokens: 1_000_000 })]);
      await stores.usage.reserve(ownerId, newId(), reservation(cost, { costMicroUsd: 1 }), at(0));
      const refused = stores.usage.reserve(ownerId, newId(), reservation(cost), at(0));
      await expect(refused).rejects.toMatchObject({ quota: 'costMicroUsdPerDay', isUsedUp: false });
    });

    test('a dead node’s reservations, when they have run out, count no more; a living one renews its own', async () => {
      const [dead, living] = [newId(), newId()];
      await stores.usage.reserve(dead, newId(), reservation(limits, { nodeId: 'dead' }), at(0));
      await stores.usage.reserve(living, newId(), reservation(limits, { nodeId: 'living' }), at(0));
      await stores.usage.renewReservations('living', at(60_000));
      expect(await stores.usage.findQuotaUse(dead, at(15_001))).toMatchObject({ reservedTokens: 0 });
      expect(await stores.usage.findQuotaUse(living, at(15_001))).toMatchObject({ reservedTokens: 100 });
      await stores.usage.reserve(dead, newId(), reservation(limits, { until: at(90_000) }), at(15_001));
      const refused = stores.usage.reserve(living, newId(), reservation(limits), at(15_001));
      await expect(refused).rejects.toMatchObject({ quota: 'tokensPerDay' });
    });
  });

  describe('concurrent replies', () => {
    const two = () => reservation({ concurrentReplies: 2 });
    const send = (turn: NewTurn) => stores.messages.appendTurn({ ...turn, reservation: two() });
    const refused = { name: 'QuotaError', quota: 'concurrentReplies', isUsedUp: false };

    test('10 turns at once in 10 chats, at two, store two', async () => {
      const ownerId = newId();
      const outcomes = await Promise.allSettled(times(10, () => send(firstTurn(ownerId))));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
      expect(await stores.usage.findQuotaUse(ownerId, at(0))).toMatchObject({ concurrentReplies: 2 });
      await send(firstTurn(newId()));
    });

    test('what waits in a chat that is being answered, takes no place of its own', async () => {
      const ownerId = newId();
      const first = firstTurn(ownerId);
      await send(first);
      await send(firstTurn(ownerId));
      for (const turn of times(3, () => newTurn(ownerId, first.chatId))) await send(turn);
      await expect(send(firstTurn(ownerId))).rejects.toMatchObject(refused);
    });

    test('a reply that ended, before its books are written, leaves its place', async () => {
      const ownerId = newId();
      const first = firstTurn(ownerId);
      await send(first);
      await send(firstTurn(ownerId));
      await expect(send(firstTurn(ownerId))).rejects.toMatchObject(refused);
      await stores.messages.settleReply(ownerId, first.reply.id, replyEnd());
      await send(firstTurn(ownerId));
      await expect(send(firstTurn(ownerId))).rejects.toMatchObject(refused);
    });

    test('stateless completions, and replies, share the places', async () => {
      const ownerId = newId();
      const id = newId();
      await stores.usage.reserve(ownerId, id, two(), at(0));
      await send(firstTurn(ownerId, { at: at(0) }));
      await expect(send(firstTurn(ownerId, { at: at(0) }))).rejects.toMatchObject(refused);
      await expect(stores.usage.reserve(ownerId, newId(), two(), at(0))).rejects.toMatchObject(refused);
      await append([], { released: [{ ownerId, id }] });
      await stores.usage.reserve(ownerId, newId(), two(), at(0));
    });

    describe('of stateless completions that have ended, before their books are written,', () => {
      const one = (changes: Partial<Reservation> = {}) =>
        reservation({ concurrentReplies: 1, tokensPerDay: 1000 }, changes);
      const use = (ownerId: string) => stores.usage.findQuotaUse(ownerId, at(0));
      /** An owner with a completion that runs. */
      const withOne = async (): Promise<{ ownerId: string; id: string }> => {
        const key = { ownerId: newId(), id: newId() };
        await stores.usage.reserve(key.ownerId, key.id, one(), at(0));
        await expect(stores.usage.reserve(key.ownerId, newId(), one(), at(0))).rejects.toMatchObject(refused);
        return key;
      };

      test('the next reserve that names it, takes its place and leaves it the rest', async () => {
        const { ownerId, id } = await withOne();
        await stores.usage.reserve(ownerId, newId(), one({ ended: [id, newId()] }), at(0));
        expect(await use(ownerId)).toMatchObject({ concurrentReplies: 1, reservedTokens: 200 });
        await expect(stores.usage.reserve(ownerId, newId(), one({ ended: [id] }), at(0))).rejects.toMatchObject(
          refused,
        );
      });

      test('the next turn that names it, takes its place', async () => {
        const { ownerId, id } = await withOne();
        const turn = firstTurn(ownerId, { at: at(0) });
        await expect(stores.messages.appendTurn({ ...turn, reservation: one() })).rejects.toMatchObject(refused);
        await stores.messages.appendTurn({ ...turn, reservation: one({ ended: [id] }) });
        expect(await use(ownerId)).toMatchObject({ concurrentReplies: 1, reservedTokens: 200 });
      });

      test('a batch that ends it, frees its place for whoever comes, and a later one the rest', async () => {
        const key = await withOne();
        await append([newRecord(newId())], { ended: [key, { ...key, id: newId() }] });
        expect(await use(key.ownerId)).toMatchObject({ concurrentReplies: 0, reservedTokens: 100 });
        await stores.usage.reserve(key.ownerId, newId(), one(), at(0));
        await append([], { ended: [key], released: [key] });
        expect(await use(key.ownerId)).toMatchObject({ concurrentReplies: 1, reservedTokens: 100 });
      });

      test('the daily quota, with what it reserved, refuses all the same', async () => {
        const { ownerId, id } = await withOne();
        const small = reservation({ concurrentReplies: 1, tokensPerDay: 100 }, { ended: [id] });
        const outcome = stores.usage.reserve(ownerId, newId(), small, at(0));
        await expect(outcome).rejects.toMatchObject({ quota: 'tokensPerDay', isUsedUp: false });
      });
    });
  });
};
