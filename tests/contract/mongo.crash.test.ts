import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Mongoose } from 'mongoose';
import { newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { StoreUnavailableError } from '../../src/models/errors.ts';
import { openMongoStores } from '../../src/models/mongo/index.ts';
import type { NewTurn, Stores, UsageBatch } from '../../src/models/stores.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';
import { waitFor } from '../support/waitFor.ts';
import { canProxy, startWireProxy, type WireProxy } from '../support/wireProxy.ts';
import {
  at,
  firstTurn,
  newLogin,
  newTicket,
  newTurn,
  newUser,
  replyEnd,
  storeSettledTurn,
  storeTurn,
  times,
} from './stores/rows.ts';
import { newRecord } from './stores/usageRows.ts';

const logger = createLogger({ level: 'error', service: 'contract', format: 'text', stream: process.stderr });
const mongodb = await startMongodb();
const isPossible = mongodb !== null && canProxy(mongodb.newDatabase());
const reason = mongodb === null ? HOW_TO_GET_MONGODB : 'needs a server of one host without credentials';

/** One call to the stores, and what of the data it is about. */
interface Scenario<Subject> {
  readonly name: string;
  /** Makes what the call is about, on a healthy database. */
  readonly prepare: (stores: Stores) => Promise<Subject>;
  readonly act: (stores: Stores, subject: Subject) => Promise<unknown>;
  /** The state that must be the one before the call or the one after it; without `rev`, which a repair may raise again. */
  readonly look: (stores: Stores, subject: Subject) => Promise<unknown>;
  /** How many writes the call makes at least: as many points at which it can die. */
  readonly minWrites: number;
}

const chatState = async (stores: Stores, ownerId: string, chatId: string) => {
  const chat = await stores.chats.findChat(ownerId, chatId);
  const messages = await stores.messages.listMessages(ownerId, chatId, null, 100);
  return {
    chat: chat && { ...chat, rev: 0 },
    messages: messages.map((message) => ({ ...message, rev: 0 })),
    unfinished: (await stores.messages.listUnfinished(ownerId, chatId)).map(({ id }) => id),
  };
};
const turnState = async (stores: Stores, turn: NewTurn) => {
  const found = await stores.messages.findTurn(turn.ownerId, turn.clientMessageId);
  const { chat, messages } = await chatState(stores, turn.ownerId, turn.chatId);
  return { reply: found?.turn?.reply.id ?? null, chat, messages };
};
const runningReply = async (stores: Stores) => {
  const turn = firstTurn(newId());
  const { reply } = await storeTurn(stores, turn);
  await stores.messages.appendLog([{ ownerId: turn.ownerId, messageId: reply.id, offset: 0, text: 'so far' }]);
  return turn;
};

/** A state as text, its random ids, names and hashes numbered as they occur: equal for two runs that did the same. */
const shapeOf = (state: unknown): string => {
  const seen: string[] = [];
  return JSON.stringify(state, null, 1).replace(/[0-9a-f]{8}-[0-9a-f-]{27}|u?[0-9a-f]{16,}/g, (random) => {
    if (!seen.includes(random)) seen.push(random);
    return `#${String(seen.indexOf(random))}`;
  });
};

const scenario = <Subject>(given: Scenario<Subject>): Scenario<unknown> => given as Scenario<unknown>;

const SCENARIOS: readonly Scenario<unknown>[] = [
  scenario<NewTurn>({
    name: 'appendTurn with a new chat',
    prepare: () => Promise.resolve(firstTurn(newId())),
    act: (stores, turn) => stores.messages.appendTurn(turn),
    look: turnState,
    minWrites: 4,
  }),
  scenario<NewTurn>({
    name: 'appendTurn into a chat',
    prepare: async (stores) => {
      const first = firstTurn(newId());
      await storeSettledTurn(stores, first);
      return newTurn(first.ownerId, first.chatId);
    },
    act: (stores, turn) => stores.messages.appendTurn(turn),
    look: turnState,
    minWrites: 4,
  }),
  scenario<UsageBatch>({
    name: 'appendUsage of two owners’ records, one of them on two days',
    prepare: () => {
      const [one, other] = [newId(), newId()];
      const records = [newRecord(one), newRecord(one), newRecord(one, { at: at(86_400_000) }), newRecord(other)];
      return Promise.resolve({ nodeId: newId(), number: 1, records, ended: [], released: [] });
    },
    act: (stores, batch) => stores.usage.appendUsage(batch),
    look: async (stores, { records }) => {
      const owners = [...new Set(records.map(({ ownerId }) => ownerId))];
      const everything = { from: new Date(0), to: at(1e12), after: null, limit: 10 };
      return Promise.all(
        owners.map(async (ownerId) => ({
          records: (await stores.usage.listUsage(ownerId, everything)).length,
          days: await stores.usage.listUsageDays(ownerId, '2000-01-01', '2099-01-01'),
        })),
      );
    },
    minWrites: 5,
  }),
  scenario<NewTurn>({
    name: 'settleReply',
    prepare: runningReply,
    act: (stores, turn) => stores.messages.settleReply(turn.ownerId, turn.reply.id, replyEnd()),
    look: turnState,
    minWrites: 4,
  }),
  scenario<NewTurn>({
    name: 'clearChat',
    prepare: runningReply,
    act: (stores, turn) => stores.chats.clearChat(turn.ownerId, turn.chatId, at(9_000)),
    look: (stores, turn) => chatState(stores, turn.ownerId, turn.chatId),
    minWrites: 4,
  }),
  scenario<{ turn: NewTurn; messageId: string }>({
    name: 'deleteMessage',
    prepare: async (stores) => {
      const turn = firstTurn(newId());
      await storeSettledTurn(stores, turn);
      const next = newTurn(turn.ownerId, turn.chatId);
      const { reply } = await storeTurn(stores, next);
      await stores.messages.appendLog([{ ownerId: turn.ownerId, messageId: reply.id, offset: 0, text: 'so far' }]);
      return { turn, messageId: next.userMessage?.id ?? '' };
    },
    act: (stores, { turn, messageId }) => stores.messages.deleteMessage(turn.ownerId, messageId, at(9_000)),
    look: (stores, { turn }) => chatState(stores, turn.ownerId, turn.chatId),
    minWrites: 6,
  }),
  scenario<NewTurn>({
    name: 'deleteChat',
    prepare: runningReply,
    act: (stores, turn) => stores.chats.deleteChat(turn.ownerId, turn.chatId),
    look: (stores, turn) => chatState(stores, turn.ownerId, turn.chatId),
    minWrites: 4,
  }),
  scenario<readonly NewTurn[]>({
    name: 'deleteChats',
    prepare: async (stores) => {
      const ownerId = newId();
      const turns = times(2, () => firstTurn(ownerId));
      for (const turn of turns) await storeTurn(stores, turn);
      return turns;
    },
    act: (stores, turns) => stores.chats.deleteChats(turns[0]?.ownerId ?? ''),
    look: (stores, turns) => Promise.all(turns.map((turn) => chatState(stores, turn.ownerId, turn.chatId))),
    minWrites: 8,
  }),
  scenario<{ userId: string; turn: NewTurn; loginId: string }>({
    name: 'deleteUser',
    prepare: async (stores) => {
      const user = newUser();
      await stores.users.createUser(user);
      const turn = firstTurn(user.id);
      const { reply } = await storeTurn(stores, turn);
      await stores.messages.appendLog([{ ownerId: user.id, messageId: reply.id, offset: 0, text: 'so far' }]);
      const login = newLogin(user.id);
      await stores.logins.createLogin(login);
      await stores.logins.createTicket(newTicket(user.id));
      return { userId: user.id, turn, loginId: login.id };
    },
    act: (stores, { userId }) => stores.users.deleteUser(userId),
    look: async (stores, { userId, turn, loginId }) => ({
      user: await stores.users.findUser(userId),
      login: await stores.logins.findLogin(loginId),
      isTurnKnown: (await stores.messages.findTurn(userId, turn.clientMessageId)) !== null,
      ...(await chatState(stores, userId, turn.chatId)),
    }),
    minWrites: 8,
  }),
  scenario<{ ownerId: string; loginIds: readonly string[] }>({
    name: 'endLogins',
    prepare: async (stores) => {
      const ownerId = newId();
      const logins = times(3, () => newLogin(ownerId));
      for (const login of logins) await stores.logins.createLogin(login);
      return { ownerId, loginIds: logins.map(({ id }) => id) };
    },
    act: (stores, { ownerId }) => stores.logins.endLogins(ownerId, at(7), null),
    look: (stores, { loginIds }) => Promise.all(loginIds.map((id) => stores.logins.findLogin(id))),
    minWrites: 3,
  }),
];

(isPossible ? describe : describe.skip)(
  `mongodb, dying between the steps of a call${isPossible ? '' : ` (${reason})`}`,
  () => {
    let uri: string;
    let healthy: Stores;
    let proxy: WireProxy;
    beforeEach(async () => {
      uri = mongodb?.newDatabase() ?? '';
      healthy = await openMongoStores({ uri, logger });
      proxy = await startWireProxy(uri);
    });
    afterEach(async () => {
      await proxy.close();
      await healthy.close();
    });
    afterAll(() => mongodb?.stop());

    /** Runs a call in «a process» whose database goes away at the nth write; whether it did. */
    const dieAtWrite = async (nth: number, when: 'before' | 'after', act: (stores: Stores) => Promise<unknown>) => {
      proxy.mend();
      const dying = await openMongoStores({ uri: proxy.uri, logger });
      // On a machine under load the first attempt to connect may be too slow for the proxy's short timeouts.
      await waitFor(async () => {
        await dying.ping();
        return true;
      });
      proxy.cutAtWrite(nth, when);
      const outcome = await act(dying).then(
        () => null,
        (error: unknown) => error,
      );
      const { isCut } = proxy;
      if (isCut) expect(outcome).toBeInstanceOf(StoreUnavailableError);
      else expect(outcome).toBeNull();
      proxy.cut();
      await dying.close();
      return isCut;
    };

    /** How the state looks before and after the call when nothing goes wrong. */
    const undisturbed = async ({ prepare, act, look }: Omit<Scenario<unknown>, 'name' | 'minWrites'>) => {
      const subject = await prepare(healthy);
      const before = shapeOf(await look(healthy, subject));
      await act(healthy, subject);
      const after = shapeOf(await look(healthy, subject));
      expect(after).not.toBe(before);
      return { before, after };
    };

    for (const { name, prepare, act, look, minWrites } of SCENARIOS) {
      for (const when of ['before', 'after'] as const) {
        test(`${name}, cut ${when} each of its writes and repaired, happened whole or not at all`, async () => {
          const { before, after } = await undisturbed({ prepare, act, look });
          let nth = 0;
          let isCut = true;
          while (isCut) {
            nth += 1;
            const subject = await prepare(healthy);
            isCut = await dieAtWrite(nth, when, (stores) => act(stores, subject));

            const mended = await healthy.repair();
            const found = shapeOf(await look(healthy, subject));
            expect(await healthy.repair()).toBe(0);
            // After the first write it is decided.
            expect(found).toBe(nth === 1 && when === 'before' ? before : after);
            if (!isCut) expect(mended).toBe(0);
            // The caller, who got an error, asks again.
            await act(healthy, subject);
            expect(shapeOf(await look(healthy, subject))).toBe(after);
          }
          expect(nth).toBeGreaterThan(minWrites);
        });
      }
    }

    /** A chat, and a turn in it that was stored by a process which died before it wrote anything else. */
    const chatWithOpenTurn = async () => {
      const first = firstTurn(newId());
      const { reply } = await storeSettledTurn(healthy, first);
      const open = newTurn(first.ownerId, first.chatId);
      expect(await dieAtWrite(2, 'before', (stores) => stores.messages.appendTurn(open))).toBe(true);
      return { ownerId: first.ownerId, chatId: first.chatId, leafId: reply.id, open };
    };

    test('an open turn, met by the next turn of its chat, is completed by that and comes before it', async () => {
      const { ownerId, chatId, leafId, open } = await chatWithOpenTurn();
      const { userMessage, chat } = await storeTurn(healthy, newTurn(ownerId, chatId));
      expect(userMessage).toMatchObject({ seq: 5, parentId: open.reply.id });
      expect(chat).toMatchObject({ lastSeq: 6, messageCount: 6 });
      const branch = await healthy.messages.listBranch(ownerId, chatId, userMessage.id, 10);
      expect(branch.map(({ id }) => id).slice(1, 4)).toEqual([open.reply.id, open.userMessage?.id, leafId]);
    });

    test('an open turn, sent again or looked for, is completed by that', async () => {
      const { open, ...again } = await chatWithOpenTurn();
      expect(await healthy.messages.appendTurn(open)).toMatchObject({ created: false, turn: { chat: { lastSeq: 4 } } });
      expect(await healthy.messages.listMessages(again.ownerId, again.chatId, null, 10)).toHaveLength(4);
      const lookedFor = await chatWithOpenTurn();
      const found = await healthy.messages.findTurn(lookedFor.ownerId, lookedFor.open.clientMessageId);
      expect(found?.turn?.chat.activeLeafId).toBe(lookedFor.open.reply.id);
    });

    /** Does as one that read an open turn long ago and goes on only now: puts the turn back as that one knows it. */
    const repeatAsLatecomer = async (open: NewTurn, meanwhile: () => Promise<unknown>) => {
      const connection = await new Mongoose().createConnection(uri).asPromise();
      const turns = connection.collection('turns');
      const key = { clientMessageId: open.clientMessageId };
      const row = await turns.findOne(key);
      expect(row).toMatchObject({ state: 'open' });
      await meanwhile();
      await turns.updateOne(key, { $set: { state: 'open', content: row?.content as unknown } });
      await connection.close();
      expect(await healthy.repair()).toBeGreaterThan(0);
    };

    test('an open turn, completed by a latecomer after its chat was deleted, brings nothing back', async () => {
      const { ownerId, chatId, open } = await chatWithOpenTurn();
      await repeatAsLatecomer(open, () => healthy.chats.deleteChat(ownerId, chatId));
      expect(await turnState(healthy, open)).toEqual({ reply: null, chat: null, messages: [] });
    });

    test('an open turn of a new chat, completed by a latecomer after the chat was deleted, brings nothing back', async () => {
      const open = firstTurn(newId());
      expect(await dieAtWrite(2, 'before', (stores) => stores.messages.appendTurn(open))).toBe(true);
      await repeatAsLatecomer(open, async () => {
        await healthy.repair();
        expect(await healthy.chats.deleteChat(open.ownerId, open.chatId)).toBe(true);
      });
      expect(await turnState(healthy, open)).toEqual({ reply: null, chat: null, messages: [] });
    });

    test('an open turn, whose chat is cleared before anyone completes it, is cleared too and gives its place away', async () => {
      const { ownerId, chatId, open } = await chatWithOpenTurn();
      await repeatAsLatecomer(open, () => healthy.chats.clearChat(ownerId, chatId, at(9_000)));
      const { userMessage, chat } = await storeTurn(healthy, newTurn(ownerId, chatId));
      expect(userMessage).toMatchObject({ seq: 5, parentId: null });
      expect(chat).toMatchObject({ lastSeq: 6, messageCount: 2 });
      expect(await healthy.messages.listMessages(ownerId, chatId, null, 10)).toHaveLength(2);
      expect(await healthy.messages.findTurn(ownerId, open.clientMessageId)).toMatchObject({ turn: null });
    });

    test('a log entry that came after the end, is removed by repair', async () => {
      const turn = firstTurn(newId());
      const { reply } = await storeSettledTurn(healthy, turn);
      await healthy.messages.appendLog([{ ownerId: turn.ownerId, messageId: reply.id, offset: 0, text: 'late' }]);
      expect(await healthy.repair()).toBe(1);
      expect(await healthy.repair()).toBe(0);
    });

    test('the marks of deleted chats and accounts, an hour later, are swept away by repair', async () => {
      const user = newUser();
      await healthy.users.createUser(user);
      const turn = firstTurn(newId());
      await storeSettledTurn(healthy, turn);
      await healthy.users.deleteUser(user.id);
      await healthy.chats.deleteChat(turn.ownerId, turn.chatId);
      const later = await openMongoStores({ uri, logger, clock: { now: () => Date.now() + 3_700_000 } });
      const connection = await new Mongoose().createConnection(uri).asPromise();
      const rows = async (name: string) => connection.collection(name).countDocuments();
      expect([await rows('users'), await rows('chats'), await rows('messages')]).toEqual([0, 0, 0]);
      expect(await healthy.messages.findTurn(turn.ownerId, turn.clientMessageId)).toMatchObject({ turn: null });
      await connection.close();
      await later.close();
    });

    test('two nodes, each with 15 turns for one chat at once, chain all of them', async () => {
      const other = await openMongoStores({ uri, logger });
      const first = firstTurn(newId());
      const { ownerId, chatId } = first;
      const { reply } = await storeSettledTurn(healthy, first);
      const turns = times(30, () => newTurn(ownerId, chatId));
      const stored = await Promise.all(turns.map((turn, i) => (i % 2 ? healthy : other).messages.appendTurn(turn)));
      expect(stored.every(({ created }) => created)).toBe(true);
      const added = (await healthy.messages.listMessages(ownerId, chatId, 100, 60)).toReversed();
      expect(added.map(({ seq }) => seq)).toEqual(times(60, (i) => i + 3));
      expect(added.map(({ parentId }) => parentId)).toEqual([reply.id, ...added.slice(0, -1).map(({ id }) => id)]);
      expect(added.filter(({ status }) => status === 'pending')).toHaveLength(1);
      await other.close();
    });
  },
);
