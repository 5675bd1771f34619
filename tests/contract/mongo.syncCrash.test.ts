import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { newId } from '../../src/lib/ids.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { openMongoStores } from '../../src/models/mongo/index.ts';
import type { NewTurn, Stores } from '../../src/models/stores.ts';
import { createDevice, type Device } from '../support/device.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';
import { waitFor } from '../support/waitFor.ts';
import { canProxy, startWireProxy, type WireProxy } from '../support/wireProxy.ts';
import { at, firstTurn, newTurn, replyEnd, storeSettledTurn, storeTurn } from './stores/rows.ts';

const logger = createLogger({ level: 'error', service: 'contract', format: 'text', stream: process.stderr });
const mongodb = await startMongodb();
const isPossible = mongodb !== null && canProxy(mongodb.newDatabase());
const reason = mongodb === null ? HOW_TO_GET_MONGODB : 'needs a server of one host without credentials';

/** A chat with a settled turn and a running one. */
interface Account {
  readonly ownerId: string;
  readonly chatId: string;
  readonly running: NewTurn;
}

const CALLS: Readonly<Record<string, (stores: Stores, account: Account) => Promise<unknown>>> = {
  appendTurn: ({ messages }, { ownerId, chatId }) => messages.appendTurn(newTurn(ownerId, chatId)),
  'appendTurn with a new chat': ({ messages }, { ownerId }) => messages.appendTurn(firstTurn(ownerId)),
  settleReply: ({ messages }, { ownerId, running }) => messages.settleReply(ownerId, running.reply.id, replyEnd()),
  deleteMessage: ({ messages }, { ownerId, running }) =>
    messages.deleteMessage(ownerId, running.userMessage?.id ?? '', at(5)),
  clearChat: ({ chats }, { ownerId, chatId }) => chats.clearChat(ownerId, chatId, at(5)),
  deleteChat: ({ chats }, { ownerId, chatId }) => chats.deleteChat(ownerId, chatId),
  deleteChats: ({ chats }, { ownerId }) => chats.deleteChats(ownerId),
  'listChanges by another device': async ({ chats, sync }, { ownerId, chatId }) => {
    await chats.updateChat(ownerId, chatId, { title: 'Renamed' }, at(5));
    await sync.listChanges(ownerId, { after: null, limit: 100, maxBytes: 1_000_000 });
  },
};

(isPossible ? describe : describe.skip)(`mongodb, catching up after a crash${isPossible ? '' : ` (${reason})`}`, () => {
  let healthy: Stores;
  let proxy: WireProxy;
  beforeEach(async () => {
    const uri = mongodb?.newDatabase() ?? '';
    healthy = await openMongoStores({ uri, logger });
    proxy = await startWireProxy(uri);
  });
  afterEach(async () => {
    await proxy.close();
    await healthy.close();
  });
  afterAll(() => mongodb?.stop());

  const newAccount = async (): Promise<Account> => {
    const first = firstTurn(newId());
    await storeSettledTurn(healthy, first);
    const running = newTurn(first.ownerId, first.chatId);
    await storeTurn(healthy, running);
    return { ownerId: first.ownerId, chatId: first.chatId, running };
  };

  const catchUp = async (device: Device, ownerId: string, from: string | null): Promise<string> => {
    let after = from;
    for (;;) {
      const page = await healthy.sync.listChanges(ownerId, { after, limit: 2, maxBytes: 1_000_000 });
      if (!page) throw new Error('the position is not known');
      device.apply(page);
      after = page.position;
      if (!page.more) return after;
    }
  };

  const truthOf = async (ownerId: string) => {
    const page = { sort: 'createdAt', titleQuery: null, after: null, limit: 100 } as const;
    const chats = await healthy.chats.listChats(ownerId, page);
    const messages = await Promise.all(chats.map(({ id }) => healthy.messages.listMessages(ownerId, id, null, 100)));
    const truth = createDevice();
    truth.apply({ chats, messages: messages.flat(), deleted: [] });
    return truth.holds();
  };

  /** Runs a call whose database goes away at the nth write; whether it did. */
  const dieAtWrite = async (nth: number, act: (stores: Stores) => Promise<unknown>): Promise<boolean> => {
    proxy.mend();
    const dying = await openMongoStores({ uri: proxy.uri, logger });
    await waitFor(async () => {
      await dying.ping();
      return true;
    });
    proxy.cutAtWrite(nth, 'before');
    await act(dying).catch(() => null);
    const { isCut } = proxy;
    proxy.cut();
    await dying.close();
    return isCut;
  };

  test.each(Object.keys(CALLS))(
    '%s, cut at each of its writes, leaves nothing that a device does not hear of',
    async (name) => {
      let nth = 0;
      let isCut = true;
      while (isCut) {
        nth += 1;
        const account = await newAccount();
        const device = createDevice();
        const before = await catchUp(device, account.ownerId, null);
        // So that there is something to tell of the very message that goes.
        await healthy.messages.startReply(account.ownerId, account.running.reply.id, 'maker/model', { at: at(4) });
        isCut = await dieAtWrite(nth, async (stores) => CALLS[name]?.(stores, account));
        // The device asks while half of it is done, and again after it was repaired.
        const between = await catchUp(device, account.ownerId, before);
        await healthy.repair();
        await catchUp(device, account.ownerId, between);
        expect(device.holds()).toEqual(await truthOf(account.ownerId));
      }
      expect(nth).toBeGreaterThan(1);
    },
  );
});
