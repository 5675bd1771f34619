import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '../../src/lib/logger.ts';
import { openSqliteStores } from '../../src/models/sqlite/index.ts';
import { Mongoose } from 'mongoose';
import { newId } from '../../src/lib/ids.ts';
import { openMongoStores } from '../../src/models/mongo/index.ts';
import type { Stores } from '../../src/models/stores.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';
import { accountStoreContract } from './stores/accountStore.contract.ts';
import { apiKeyStoreContract } from './stores/apiKeyStore.contract.ts';
import { auditStoreContract } from './stores/auditStore.contract.ts';
import { branchStoreContract } from './stores/branchStore.contract.ts';
import { at, chainOf, newChat } from './stores/rows.ts';
import { chatStoreContract } from './stores/chatStore.contract.ts';
import { failureCountsContract } from './stores/failureCounts.contract.ts';
import { identityStoreContract } from './stores/identityStore.contract.ts';
import { loginStoreContract } from './stores/loginStore.contract.ts';
import { mailTokenStoreContract } from './stores/mailTokens.contract.ts';
import { messageStoreContract, type LongChat } from './stores/messageStore.contract.ts';
import { replyStoreContract } from './stores/replyStore.contract.ts';
import { secondFactorStoreContract } from './stores/secondFactors.contract.ts';
import { syncStoreContract } from './stores/syncStore.contract.ts';
import { turnStoreContract } from './stores/turnStore.contract.ts';
import { usageStoreContract } from './stores/usage.contract.ts';
import { userStoreContract } from './stores/userStore.contract.ts';

const logger = createLogger({ level: 'error', service: 'contract', format: 'text', stream: process.stderr });

const mongodb = await startMongodb();

const contract = (open: () => Promise<Stores>, makeLongChat?: LongChat): void => {
  describe('UserStore', () => userStoreContract(open));
  describe('LoginStore', () => loginStoreContract(open));
  describe('UserStore and LoginStore: accounts', () => accountStoreContract(open));
  describe('ApiKeyStore', () => apiKeyStoreContract(open));
  describe('MailTokenStore', () => mailTokenStoreContract(open));
  describe('SecondFactorStore', () => secondFactorStoreContract(open));
  describe('IdentityStore', () => identityStoreContract(open));
  describe('AuditStore', () => auditStoreContract(open));
  describe('ChatStore', () => chatStoreContract(open));
  describe('MessageStore: turns', () => turnStoreContract(open));
  describe('MessageStore: reading', () => messageStoreContract(open, makeLongChat));
  describe('MessageStore: replies', () => replyStoreContract(open));
  describe('MessageStore: branches', () => branchStoreContract(open));
  describe('SyncStore', () => syncStoreContract(open, makeLongChat));
  describe('UsageStore', () => usageStoreContract(open));
};

describe('sqlite', () => {
  const directories: string[] = [];
  afterAll(() => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });
  contract(() => {
    const directory = mkdtempSync(join(tmpdir(), 'parley-contract-'));
    directories.push(directory);
    return openSqliteStores({ file: join(directory, 'parley.db'), logger });
  });
});

if (mongodb === null) {
  describe.skip(`mongodb (${HOW_TO_GET_MONGODB})`, () => contract(() => Promise.reject(new Error('skipped'))));
} else {
  describe(`mongodb (${mongodb.kind})`, () => {
    afterAll(() => mongodb.stop());
    let uri = '';
    const open = () => {
      uri = mongodb.newDatabase();
      return openMongoStores({ uri, logger });
    };
    /** Written to the collection itself: FerretDB reads a whole collection for each query, thus for each append. */
    const insertLongChat: LongChat = async (stores, messageCount) => {
      const chat = newChat(newId());
      const messages = chainOf(chat.ownerId, chat.id, messageCount);
      await stores.chats.createChat({ ...chat, lastSeq: messageCount, activeLeafId: messages.at(-1)?.id ?? null });
      const connection = await new Mongoose().createConnection(uri).asPromise();
      const rows = messages.map(({ id, ...message }) => ({ _id: id as never, ...message }));
      await connection.collection('messages').insertMany(rows);
      await connection.close();
      return messages;
    };
    contract(open, insertLongChat);

    describe('FailureStore', () => {
      let stores: Stores;
      beforeAll(async () => {
        stores = await open();
      });
      afterAll(() => stores.close());
      failureCountsContract(() => Promise.resolve(stores.failures!));

      test('deleteFailures, removes what is forgotten, in batches, and nothing else', async () => {
        const counts = stores.failures!;
        while ((await counts.deleteFailures(at(1e9), 1000)) > 0);
        for (const key of ['a', 'b', 'c']) await counts.addFailure(key, at(0), { ms: 1000, since: 'last' });
        await counts.addFailure('d', at(1), { ms: 1000, since: 'last' });
        expect(await counts.deleteFailures(at(1000), 2)).toBe(2);
        expect(await counts.deleteFailures(at(1000), 2)).toBe(1);
        expect(await counts.deleteFailures(at(1000), 2)).toBe(0);
        expect(await counts.readFailures('d', at(2))).toMatchObject({ failures: 1 });
      });
    });
  });
}
