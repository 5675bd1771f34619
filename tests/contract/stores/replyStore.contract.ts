import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '../../../src/lib/ids.ts';
import type { MessageStatus } from '../../../src/models/entities.ts';
import type { NewTurn, Stores } from '../../../src/models/stores.ts';
import { at, firstTurn, longAgo, newTurn, replyEnd, storeTurn, times, UGLY_TEXT } from './rows.ts';

/** What `MessageStore` promises of a reply's life: claim, start, log, settle, lease. */
export const replyStoreContract = (open: () => Promise<Stores>): void => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await open();
  });
  afterAll(() => stores.close());

  const lease = { nodeId: 'node-2', until: at(60_000) };
  const pending = (changes: Partial<NewTurn> = {}) => storeTurn(stores, firstTurn(newId(), changes));
  /** A reply that waits behind another one of its chat. */
  const queued = async (changes: Partial<NewTurn> = {}) => {
    const running = await pending(changes);
    const waiting = await storeTurn(stores, newTurn(running.chat.ownerId, running.chat.id, changes));
    return { running: running.reply, reply: waiting.reply, chat: waiting.chat };
  };
  const statusOf = async (ownerId: string, id: string): Promise<MessageStatus | undefined> =>
    (await stores.messages.findMessage(ownerId, id))?.status;

  describe('claimReply and startReply', () => {
    test('claimReply, of a queued reply, makes it pending with the lease; once', async () => {
      const { reply } = await queued();
      expect(reply).toMatchObject({ status: 'queued', lease: null });
      expect(await stores.messages.claimReply(reply.ownerId, reply.id, lease, at(9))).toBe(true);
      expect(await stores.messages.findMessage(reply.ownerId, reply.id)).toEqual({
        ...reply,
        status: 'pending',
        lease,
        updatedAt: at(9),
        rev: reply.rev + 1,
      });
      expect(await stores.messages.claimReply(reply.ownerId, reply.id, lease, at(10))).toBe(false);
    });

    test('startReply, of a pending reply, makes it streaming with its model; once', async () => {
      const { reply } = await pending();
      expect(await stores.messages.startReply(reply.ownerId, reply.id, 'maker/chosen', { at: at(9) })).toBe(true);
      expect(await stores.messages.findMessage(reply.ownerId, reply.id)).toEqual({
        ...reply,
        status: 'streaming',
        model: 'maker/chosen',
        updatedAt: at(9),
        rev: reply.rev + 1,
      });
      expect(await stores.messages.startReply(reply.ownerId, reply.id, 'maker/chosen', { at: at(10) })).toBe(false);
    });

    test('startReply by a node, of a reply that another one holds, is false', async () => {
      const { reply } = await pending({ lease: { nodeId: 'node-1', until: at(1_000) } });
      const start = (nodeId: string) =>
        stores.messages.startReply(reply.ownerId, reply.id, 'maker/chosen', { nodeId, at: at(9) });
      expect(await start('node-2')).toBe(false);
      expect(await statusOf(reply.ownerId, reply.id)).toBe('pending');
      expect(await start('node-1')).toBe(true);
    });

    test('each, 20 times at once, succeeds once', async () => {
      const { reply } = await queued();
      const claims = times(20, () => stores.messages.claimReply(reply.ownerId, reply.id, lease, at(9)));
      expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
      const starts = times(20, () =>
        stores.messages.startReply(reply.ownerId, reply.id, 'maker/chosen', { at: at(9) }),
      );
      expect((await Promise.all(starts)).filter(Boolean)).toHaveLength(1);
    });

    test('each, in another status, by a foreign owner or of no reply, is false', async () => {
      const { running, reply } = await queued();
      expect(await stores.messages.claimReply(running.ownerId, running.id, lease, at(9))).toBe(false);
      expect(await stores.messages.startReply(reply.ownerId, reply.id, 'm', { at: at(9) })).toBe(false);
      expect(await stores.messages.claimReply(newId(), reply.id, lease, at(9))).toBe(false);
      expect(await stores.messages.startReply(newId(), running.id, 'm', { at: at(9) })).toBe(false);
      expect(await stores.messages.claimReply(reply.ownerId, newId(), lease, at(9))).toBe(false);
      expect(await stores.messages.startReply(reply.ownerId, newId(), 'm', { at: at(9) })).toBe(false);
      expect(await statusOf(reply.ownerId, reply.id)).toBe('queued');
      expect(await statusOf(running.ownerId, running.id)).toBe('pending');
    });
  });

  describe('reopenReply', () => {
    const interrupted = replyEnd({
      status: 'interrupted',
      content: '',
      finishReason: null,
      usage: null,
      segments: null,
      error: { code: 'LLM_FAILED', detail: null, retryAfterMs: null },
      preview: null,
    });

    test('of a reply that was interrupted before startReply, makes it queued again; once of 20 times', async () => {
      const { reply } = await pending();
      const { ownerId, id } = reply;
      const settled = await stores.messages.settleReply(ownerId, id, interrupted);
      const outcomes = await Promise.all(times(20, () => stores.messages.reopenReply(ownerId, id, at(3_000))));
      const reopened = outcomes.filter((outcome) => outcome !== null);
      expect(reopened).toEqual([
        {
          ...settled?.reply,
          status: 'queued',
          error: null,
          latencyMs: null,
          updatedAt: at(3_000),
          rev: (settled?.reply.rev ?? 0) + 1,
        },
      ]);
      expect(await stores.messages.findMessage(ownerId, id)).toEqual(reopened[0]);
      expect(await stores.messages.claimReply(ownerId, id, lease, at(3_100))).toBe(true);
      expect(await stores.messages.startReply(ownerId, id, 'm', { at: at(3_200) })).toBe(true);
      await stores.messages.settleReply(ownerId, id, interrupted);
      expect(await stores.messages.reopenReply(ownerId, id, at(3_300))).toBeNull();
    });

    test('of a pending reply whose lease has ended, makes it queued without a lease; once of 20 times', async () => {
      const { reply } = await pending({ lease: { nodeId: 'node-1', until: at(1_000) } });
      const { ownerId, id } = reply;
      expect(await stores.messages.reopenReply(ownerId, id, at(1_000))).toBeNull();
      const outcomes = await Promise.all(times(20, () => stores.messages.reopenReply(ownerId, id, at(1_001))));
      const reopened = outcomes.filter((outcome) => outcome !== null);
      expect(reopened).toEqual([{ ...reply, status: 'queued', lease: null, updatedAt: at(1_001), rev: reply.rev + 1 }]);
      expect(await stores.messages.findMessage(ownerId, id)).toEqual(reopened[0]);
      // Whoever had the lease asks no model any more.
      expect(await stores.messages.startReply(ownerId, id, 'm', { at: at(1_002) })).toBe(false);
    });

    test('of a reply whose model is being asked, is null even after its lease', async () => {
      const { reply } = await pending({ lease: { nodeId: 'node-1', until: at(1_000) } });
      await stores.messages.startReply(reply.ownerId, reply.id, 'm', { at: at(1) });
      expect(await stores.messages.reopenReply(reply.ownerId, reply.id, at(2_000))).toBeNull();
    });

    test('of a reply that a model was asked for, that ended otherwise, or that is not there, is null', async () => {
      const asked = (await pending()).reply;
      await stores.messages.startReply(asked.ownerId, asked.id, 'm', { at: at(1) });
      await stores.messages.settleReply(asked.ownerId, asked.id, interrupted);
      const stopped = (await pending()).reply;
      await stores.messages.settleReply(stopped.ownerId, stopped.id, { ...interrupted, status: 'stopped' });
      const waiting = await queued();
      for (const { ownerId, id } of [asked, stopped, waiting.reply, waiting.running]) {
        expect(await stores.messages.reopenReply(ownerId, id, at(2))).toBeNull();
      }
      const foreign = (await pending()).reply;
      await stores.messages.settleReply(foreign.ownerId, foreign.id, interrupted);
      expect(await stores.messages.reopenReply(newId(), foreign.id, at(2))).toBeNull();
      expect(await stores.messages.reopenReply(foreign.ownerId, newId(), at(2))).toBeNull();
    });
  });

  describe('appendLog', () => {
    test('entries of several replies, folded, are the text of each, exactly', async () => {
      const [one, two] = [await pending(), await pending()];
      const entry = ({ reply }: typeof one, offset: number, text: string) => ({
        ownerId: reply.ownerId,
        messageId: reply.id,
        offset,
        text,
      });
      await stores.messages.appendLog([entry(one, 0, UGLY_TEXT), entry(two, 0, 'first ')]);
      await stores.messages.appendLog([entry(two, 6, '😀'), entry(one, UGLY_TEXT.length, '\0end'), entry(two, 8, '.')]);
      const contentOf = async ({ reply }: typeof one) =>
        (await stores.messages.findMessage(reply.ownerId, reply.id))?.content;
      expect(await contentOf(one)).toBe(`${UGLY_TEXT}\0end`);
      expect(await contentOf(two)).toBe('first 😀.');
    });

    test('200 entries, appended at once, are folded in order of their offsets', async () => {
      const { reply } = await pending();
      const pieces = times(200, (i) => `${String(i)} `);
      const offsets = pieces.map((_, i) => pieces.slice(0, i).join('').length);
      const entries = pieces.map((text, i) => ({
        ownerId: reply.ownerId,
        messageId: reply.id,
        offset: offsets[i] ?? 0,
        text,
      }));
      await Promise.all(times(10, (i) => stores.messages.appendLog(entries.filter((_, j) => j % 10 === i))));
      const found = await stores.messages.findMessage(reply.ownerId, reply.id);
      expect(found?.content).toBe(pieces.join(''));
    });

    test('an entry that is there, appended again, is left as it is and hinders no other', async () => {
      const { reply } = await pending();
      const entry = { ownerId: reply.ownerId, messageId: reply.id, offset: 0, text: 'Hello' };
      await stores.messages.appendLog([entry]);
      await stores.messages.appendLog([
        { ...entry, text: 'OTHER' },
        { ...entry, offset: 5, text: ' you' },
      ]);
      const found = await stores.messages.findMessage(reply.ownerId, reply.id);
      expect(found?.content).toBe('Hello you');
    });

    test('nothing, or for a reply of another owner or of no one, harms nothing', async () => {
      const { reply } = await pending();
      await stores.messages.appendLog([]);
      await stores.messages.appendLog([
        { ownerId: newId(), messageId: reply.id, offset: 0, text: 'foreign' },
        { ownerId: reply.ownerId, messageId: newId(), offset: 0, text: 'lost' },
      ]);
      await stores.messages.appendLog([{ ownerId: reply.ownerId, messageId: reply.id, offset: 0, text: 'mine' }]);
      const found = await stores.messages.findMessage(reply.ownerId, reply.id);
      expect(found?.content).toBe('mine');
    });
  });

  describe('settleReply', () => {
    test('by a node, ends only a reply whose lease is that node’s, be it past its time', async () => {
      const { reply } = await pending({ lease: { nodeId: 'node-1', until: at(1_000) } });
      const { ownerId, id } = reply;
      const settleAs = (nodeId: string) =>
        stores.messages.settleReply(ownerId, id, replyEnd({ nodeId, at: at(5_000) }));
      expect(await settleAs('node-2')).toBeNull();
      await stores.messages.reopenReply(ownerId, id, at(2_000));
      expect(await settleAs('node-1')).toBeNull();
      await stores.messages.claimReply(ownerId, id, { nodeId: 'node-2', until: at(3_000) }, at(2_100));
      expect(await settleAs('node-1')).toBeNull();
      expect(await statusOf(ownerId, id)).toBe('pending');
      expect((await settleAs('node-2'))?.reply).toMatchObject({ status: 'complete', lease: null });
    });

    test('of a running reply, writes the end, drops lease and log, raises both revs', async () => {
      const { chat, reply } = await pending();
      const { ownerId } = reply;
      await stores.messages.startReply(ownerId, reply.id, 'maker/chosen', { at: at(1_500) });
      await stores.messages.appendLog([{ ownerId, messageId: reply.id, offset: 0, text: 'longer than the end' }]);
      const { preview, at: settledAt, ...end } = replyEnd({ content: UGLY_TEXT, preview: 'Fine' });
      const settled = await stores.messages.settleReply(ownerId, reply.id, { ...end, preview, at: settledAt });
      expect(settled).toEqual({
        reply: { ...reply, ...end, lease: null, updatedAt: settledAt, rev: reply.rev + 2 },
        chat: { ...chat, lastMessagePreview: 'Fine', updatedAt: settledAt, rev: chat.rev + 1 },
      });
      expect(await stores.messages.findMessage(ownerId, reply.id)).toEqual(settled?.reply);
      expect(await stores.chats.findChat(ownerId, chat.id)).toEqual(settled?.chat);
      expect(await stores.messages.listUnfinished(ownerId, chat.id)).toEqual([]);
    });

    test('of a queued reply, ends it with its error and keeps the chat’s preview when there is no new one', async () => {
      const { reply, chat } = await queued();
      const error = { code: 'LLM_FAILED', detail: UGLY_TEXT, retryAfterMs: 1_500 };
      const end = replyEnd({
        status: 'failed',
        content: '',
        model: null,
        finishReason: null,
        usage: null,
        latencyMs: null,
        segments: null,
        error,
        preview: null,
      });
      const settled = await stores.messages.settleReply(reply.ownerId, reply.id, end);
      expect(settled?.reply).toMatchObject({ status: 'failed', content: '', error, usage: null, segments: null });
      expect(settled?.chat.lastMessagePreview).toBe(chat.lastMessagePreview);
    });

    test('of a reply that is not the active leaf any more, leaves the preview', async () => {
      const { running } = await queued({ preview: 'the newest question' });
      const settled = await stores.messages.settleReply(running.ownerId, running.id, replyEnd());
      expect(settled?.chat.lastMessagePreview).toBe('the newest question');
    });

    test('with usage that leaves out what is optional, keeps it left out', async () => {
      const { reply } = await pending();
      const usage = { promptTokens: 1, completionTokens: 0, totalTokens: 1, estimated: true };
      const latencyMs = { firstToken: null, total: 0 };
      await stores.messages.settleReply(reply.ownerId, reply.id, replyEnd({ usage, latencyMs, segments: [] }));
      expect(await stores.messages.findMessage(reply.ownerId, reply.id)).toMatchObject({
        usage,
        latencyMs,
        segments: [],
      });
      expect((await stores.messages.findMessage(reply.ownerId, reply.id))?.usage).toEqual(usage);
    });

    test('20 times at once, is taken once and keeps the winner’s end', async () => {
      const { reply, chat } = await pending();
      const ends = times(20, (i) => replyEnd({ content: `end ${String(i)}`, preview: `end ${String(i)}` }));
      const outcomes = await Promise.all(ends.map((end) => stores.messages.settleReply(reply.ownerId, reply.id, end)));
      const won = outcomes.filter((outcome) => outcome !== null);
      expect(won).toHaveLength(1);
      expect(await stores.messages.findMessage(reply.ownerId, reply.id)).toEqual(won[0]?.reply);
      const after = await stores.chats.findChat(reply.ownerId, chat.id);
      expect(after).toMatchObject({ rev: chat.rev + 1, lastMessagePreview: won[0]?.reply.content });
    });

    test('of a final reply, of a foreign one, of a user message or of none, is null and changes nothing', async () => {
      const { reply, userMessage } = await pending();
      const settle = (ownerId: string, id: string) =>
        stores.messages.settleReply(ownerId, id, replyEnd({ content: 'no' }));
      expect(await settle(newId(), reply.id)).toBeNull();
      expect(await settle(reply.ownerId, userMessage.id)).toBeNull();
      expect(await settle(reply.ownerId, newId())).toBeNull();
      const settled = await stores.messages.settleReply(reply.ownerId, reply.id, replyEnd());
      expect(await settle(reply.ownerId, reply.id)).toBeNull();
      expect(await stores.messages.findMessage(reply.ownerId, reply.id)).toEqual(settled?.reply);
    });

    test('read 30 times while it is settled, has the text of its log or of its end, never less', async () => {
      const { reply } = await pending();
      const { ownerId, id: messageId } = reply;
      await stores.messages.appendLog([{ ownerId, messageId, offset: 0, text: 'so far' }]);
      const read = () => stores.messages.findMessage(ownerId, messageId);
      const before = times(15, read);
      const settling = stores.messages.settleReply(ownerId, messageId, replyEnd());
      const found = await Promise.all([...before, ...times(15, read)]);
      await settling;
      const seen = new Set(found.map((message) => `${String(message?.status)}: ${String(message?.content)}`));
      expect([...seen].filter((text) => !['pending: so far', 'complete: Fine.'].includes(text))).toEqual([]);
    });

    test('a log entry that comes after the end, changes nothing', async () => {
      const { reply } = await pending();
      const settled = await stores.messages.settleReply(reply.ownerId, reply.id, replyEnd());
      await stores.messages.appendLog([{ ownerId: reply.ownerId, messageId: reply.id, offset: 0, text: 'late' }]);
      expect(await stores.messages.findMessage(reply.ownerId, reply.id)).toEqual(settled?.reply);
    });

    test('after the chat was deleted, is null and brings nothing back', async () => {
      const { reply, chat } = await pending();
      await stores.chats.deleteChat(chat.ownerId, chat.id);
      expect(await stores.messages.settleReply(reply.ownerId, reply.id, replyEnd())).toBeNull();
      expect(await stores.messages.findMessage(reply.ownerId, reply.id)).toBeNull();
      expect(await stores.chats.findChat(chat.ownerId, chat.id)).toBeNull();
    });
  });

  describe('leases', () => {
    test('renewLeases, of replies that the node holds, extends them and returns their ids', async () => {
      const nodeId = newId();
      const held = await pending({ lease: { nodeId, until: at(1) } });
      const foreign = await pending();
      const final = await pending({ lease: { nodeId, until: at(1) } });
      await stores.messages.settleReply(final.reply.ownerId, final.reply.id, replyEnd());
      const ids = [held.reply.id, foreign.reply.id, final.reply.id, newId()];
      expect(await stores.messages.renewLeases(nodeId, ids, at(90_000))).toEqual([held.reply.id]);
      expect(await stores.messages.renewLeases(nodeId, [], at(90_000))).toEqual([]);
      const found = await stores.messages.findMessage(held.reply.ownerId, held.reply.id);
      expect(found?.lease).toEqual({ nodeId, until: at(90_000) });
      const other = await stores.messages.findMessage(foreign.reply.ownerId, foreign.reply.id);
      expect(other?.lease).toEqual(foreign.reply.lease);
    });

    test('listLapsedReplies gives running replies past their lease and queued ones that are old, at most so many', async () => {
      const past = { nodeId: 'node-1', until: longAgo(10) };
      const lapsed = await pending({ lease: past });
      await stores.messages.startReply(lapsed.reply.ownerId, lapsed.reply.id, 'm', { at: at(2) });
      await stores.messages.appendLog([
        { ownerId: lapsed.reply.ownerId, messageId: lapsed.reply.id, offset: 0, text: 'part' },
      ]);
      const oldQueued = await queued({ at: longAgo(30) });
      const youngQueued = await queued({ at: longAgo(60) });
      const held = await pending({ lease: { nodeId: 'node-1', until: longAgo(20) } });
      const final = await pending({ lease: past });
      await stores.messages.settleReply(final.reply.ownerId, final.reply.id, replyEnd());

      const found = await stores.messages.listLapsedReplies(longAgo(20), longAgo(60), 100);
      expect(new Set(found.map(({ id }) => id))).toEqual(new Set([lapsed.reply.id, oldQueued.reply.id]));
      expect(found.find(({ id }) => id === lapsed.reply.id)).toMatchObject({ status: 'streaming', content: 'part' });
      expect(await stores.messages.listLapsedReplies(longAgo(20), longAgo(60), 1)).toHaveLength(1);
      expect(await stores.messages.listLapsedReplies(longAgo(10), longAgo(30), 100)).toEqual([]);

      for (const { id, ownerId } of [lapsed.reply, oldQueued.reply, youngQueued.reply, held.reply]) {
        await stores.messages.settleReply(ownerId, id, replyEnd());
      }
      expect(await stores.messages.listLapsedReplies(longAgo(100), longAgo(100), 100)).toEqual([]);
    });
  });
};
