import { describe, expect, test } from '@jest/globals';
import type { SQLInputValue } from 'node:sqlite';
import { newId } from '../../src/lib/ids.ts';
import type { Database } from '../../src/models/sqlite/database.ts';
import { createSyncStores } from '../../src/models/sqlite/operations.ts';
import { releaseLeases } from '../../src/models/sqlite/reply.store.ts';
import type { ChatSort } from '../../src/models/stores.ts';
import {
  at,
  firstTurn,
  newApiKey,
  newAuditEvent,
  newFactor,
  newLogin,
  newMailToken,
  newTicket,
  newTurn,
  newUser,
  replyEnd,
} from '../contract/stores/rows.ts';
import { newRecord, reservation } from '../contract/stores/usageRows.ts';
import { newDatabase } from '../support/sqliteFixture.ts';

/** The same connection, which notes how SQLite means to run each statement. */
const withPlans = (db: Database): { db: Database; plans: Map<string, string[]> } => {
  const plans = new Map<string, string[]>();
  const note = (sql: string, values: SQLInputValue[]): void => {
    const steps = db.all(`EXPLAIN QUERY PLAN ${sql}`, ...values) as { detail: string }[];
    plans.set(
      sql,
      steps.map(({ detail }) => detail),
    );
  };
  const noted = {
    ...db,
    get: (sql: string, ...values: SQLInputValue[]) => (note(sql, values), db.get(sql, ...values)),
    all: (sql: string, ...values: SQLInputValue[]) => (note(sql, values), db.all(sql, ...values)),
    run: (sql: string, ...values: SQLInputValue[]) => (note(sql, values), db.run(sql, ...values)),
  };
  return { db: noted, plans };
};

const SORTS: readonly ChatSort[] = ['createdAt', 'updatedAt', '-createdAt', '-updatedAt'];
const AUDIT_FILTERS = [
  { actorId: null, ownerId: null, actions: [] },
  { actorId: 'a', ownerId: null, actions: [] },
  { actorId: null, ownerId: 'o', actions: ['login.failed'] },
  { actorId: null, ownerId: null, actions: ['login.failed'] },
];
/** Steps over what another step has already cut down to the page; everything else must be a search in an index. */
const SMALL_SCAN = /^SCAN (branch|lapsed|json_each|\(subquery-\d+\))/;

describe('query plans', () => {
  test('every statement of every store, explained, walks an index and never a whole table', () => {
    const { db, plans } = withPlans(newDatabase());
    const { users, logins, apiKeys, mailTokens, secondFactors, audit, chats, messages, sync, usage } =
      createSyncStores(db);
    const user = newUser();
    const everyQuota = reservation({ concurrentReplies: 9, tokensPerDay: 9999, costMicroUsdPerDay: 9999 });
    const turn = firstTurn(user.id, { reservation: everyQuota });
    const second = newTurn(user.id, turn.chatId, { parentId: turn.userMessage?.id ?? null });
    const [login, ticket, key] = [newLogin(user.id), newTicket(user.id), newApiKey(user.id)];

    users.createUser(user);
    users.findUserByLogin(user.email);
    users.updateUser(user.id, { fullName: 'A' }, at(1));
    users.hasAdmin();
    logins.createLogin(login);
    logins.findLogin(login.id);
    logins.rotateLogin(login.id, 0, login);
    logins.endLogin(user.id, login.id, at(1));
    logins.endLogins(user.id, at(1), null);
    logins.createTicket(ticket);
    logins.spendTicket(ticket.hash, at(0));
    logins.deleteExpired(at(0), 10);
    logins.listLogins(user.id, { after: null, limit: 10 }, at(1));
    logins.endOldestLogins(user.id, 20, at(1));
    logins.touchLogins([{ id: login.id, at: at(1) }]);
    users.updatePasswordHash(user.id, 'a', 'b', at(1));
    users.updateAccount(user.id, { fullName: 'B' }, at(1));
    apiKeys.createKey(key, 50);
    apiKeys.findKeyByHash(key.hash);
    apiKeys.listKeys(user.id, { after: null, limit: 10 });
    apiKeys.touchKeys([{ id: key.id, at: at(1) }]);
    apiKeys.revokeKey(user.id, key.id, at(1));
    apiKeys.revokeKeys(user.id, at(1));
    apiKeys.deleteEndedKeys(at(0), 10);
    users.verifyEmail(user.id, user.email, at(1));
    mailTokens.putMailToken(newMailToken(user.id));
    mailTokens.spendMailToken('verify', 'none', at(0));
    mailTokens.dropMailToken(user.id, 'verify');
    mailTokens.deleteMailTokens(at(0), 10);
    const factor = newFactor(user.id);
    secondFactors.enableFactor(factor);
    secondFactors.findFactor(user.id);
    secondFactors.spendStep(user.id, factor.id, factor.lastStep + 1);
    secondFactors.spendRecoveryCode(user.id, factor.recoveryHashes[0] ?? '');
    secondFactors.listFactorsByKey('key', 10);
    secondFactors.replaceSecret(user.id, factor.secret, { secret: 's', keyId: 'k' });
    secondFactors.disableFactor(user.id, at(1));
    audit.appendEvents([newAuditEvent({ ownerId: user.id })]);
    for (const wanted of AUDIT_FILTERS)
      audit.listEvents({ ...wanted, from: at(0), to: null }, { after: null, limit: 10 });
    audit.deleteEvents(at(0), 10);
    usage.findUsageOfDay('2026-11-21');
    messages.appendTurn(turn);
    messages.appendTurn(second);
    messages.findTurn(user.id, turn.clientMessageId);
    messages.appendLog([{ ownerId: user.id, messageId: turn.reply.id, offset: 0, text: 'a' }]);
    messages.findMessage(user.id, turn.reply.id);
    messages.listMessages(user.id, turn.chatId, null, 10);
    messages.listBranch(user.id, turn.chatId, turn.reply.id, 10);
    messages.listChildren(user.id, turn.chatId, null);
    messages.listChildren(user.id, turn.chatId, turn.reply.id);
    messages.listUnfinished(user.id, turn.chatId);
    messages.claimReply(user.id, second.reply.id, turn.lease, at(1));
    messages.startReply(user.id, second.reply.id, 'm', { at: at(1) });
    messages.renewLeases('node-1', [turn.reply.id], at(1));
    messages.listLapsedReplies(at(2), at(2), 10);
    messages.settleReply(user.id, turn.reply.id, replyEnd());
    messages.reopenReply(user.id, turn.reply.id, at(2));
    messages.setFeedback(user.id, turn.reply.id, { rating: 'up', comment: null }, at(2));
    messages.listChildIds(user.id, turn.chatId, [null, turn.reply.id]);
    messages.showBranch(user.id, turn.chatId, turn.reply.id, at(2));
    messages.deleteMessage(user.id, second.reply.id, at(2));
    messages.deleteMessage(user.id, turn.userMessage?.id ?? '', at(2));
    releaseLeases(db);
    for (const sort of SORTS) chats.listChats(user.id, { sort, titleQuery: 'a', after: null, limit: 10 });
    chats.updateChat(user.id, turn.chatId, { title: 'B' }, at(3));
    chats.listIdleChats(at(9), 10);
    sync.listChanges(user.id, { after: 's1', limit: 10, maxBytes: 1000 });
    sync.deleteTombstones(at(1), 10);
    usage.reserve(user.id, 'r', everyQuota, at(0));
    usage.renewReservations('node-1', at(1));
    const records = [newRecord(user.id), newRecord(user.id, { at: new Date(0) })];
    const over = [{ ownerId: user.id, id: 'r' }];
    usage.appendUsage({ nodeId: 'node-1', number: 1, records, ended: over, released: over });
    usage.findQuotaUse(user.id, at(0));
    usage.listUsageDays(user.id, '2026-01-01', '2026-12-31');
    usage.listUsage(user.id, { from: at(0), to: at(9), after: null, limit: 10 });
    usage.deleteUsage('1990-01-01', 10);
    chats.clearChat(user.id, turn.chatId, at(4));
    chats.deleteChat(user.id, turn.chatId);
    chats.deleteChats(user.id);
    users.deleteUser(user.id);

    const scans = [...plans].flatMap(([sql, steps]) =>
      steps.filter((step) => step.startsWith('SCAN') && !SMALL_SCAN.test(step)).map((step) => ({ sql, step })),
    );
    expect(scans).toEqual([]);
    expect(plans.size).toBeGreaterThan(40);

    const changes = [...plans.keys()].filter((sql) => /(INSERT INTO|UPDATE) (chats|messages)\b[^]*\brev\b/.test(sql));
    expect(changes.length).toBeGreaterThan(10);
    // Or a device that was away never hears of it.
    expect(changes.filter((sql) => !/\bchange\b/.test(sql))).toEqual([]);
    db.close();
  });

  test('the lists of chats and of messages come out of their index in order, without sorting', () => {
    const { db, plans } = withPlans(newDatabase());
    const { chats, messages, sync, usage } = createSyncStores(db);
    for (const sort of SORTS) chats.listChats('o', { sort, titleQuery: 'a', after: { at: at(0), id: 'x' }, limit: 10 });
    sync.listChanges('o', { after: null, limit: 10, maxBytes: 1000 });
    chats.listIdleChats(at(9), 10);
    messages.listMessages('o', 'c', 5, 10);
    messages.listChildren('o', 'c', null);
    messages.listUnfinished('o', 'c');
    usage.listUsage('o', { from: at(0), to: at(9), after: { at: at(5), id: 'x' }, limit: 10 });
    usage.listUsageDays('o', '2026-01-01', '2026-12-31');
    const sorted = [...plans].filter(([, steps]) => steps.some((step) => step.includes('TEMP B-TREE')));
    expect(sorted).toEqual([]);
    db.close();
  });
});

describe('the log of a reply', () => {
  const startReply = () => {
    const db = newDatabase();
    const { messages } = createSyncStores(db);
    const turn = firstTurn(newId());
    messages.appendTurn(turn);
    const append = (offset: number, text: string, ownerId = turn.ownerId): void => {
      messages.appendLog([{ ownerId, messageId: turn.reply.id, offset, text }]);
    };
    const content = (): string | undefined => messages.findMessage(turn.ownerId, turn.reply.id)?.content;
    return { db, messages, turn, append, content };
  };

  test('of 2,000 small entries, is folded whole, in few rows, which its end deletes', () => {
    const { db, messages, turn, append, content } = startReply();
    let text = '';
    for (let count = 0; count < 2000; count += 1) {
      const piece = count % 3 === 0 ? '😀\0' : 'ab';
      append(text.length, piece);
      text += piece;
    }
    expect(content()).toBe(text);
    const rows = () => (db.get('SELECT count(*) AS count FROM reply_log') as { count: number }).count;
    expect(rows()).toBe(5);
    messages.settleReply(turn.ownerId, turn.reply.id, replyEnd({ content: text }));
    expect(rows()).toBe(0);
    expect(content()).toBe(text);
    db.close();
  });

  test('sent again from any place, whole or in part, stays what it was', () => {
    const { db, append, content } = startReply();
    append(0, 'Hello');
    append(5, ', world');
    append(0, 'HELLO');
    append(5, '!');
    append(3, 'xx');
    expect(content()).toBe('Hello, world');
    db.close();
  });

  test('with a gap, counts to the gap; once that is filled, to the end', () => {
    const { db, append, content } = startReply();
    append(0, 'one ');
    append(8, 'three');
    expect(content()).toBe('one ');
    append(4, 'two ');
    expect(content()).toBe('one two three');
    append(13, '.');
    expect(content()).toBe('one two three.');
    db.close();
  });

  test('takes nothing from another owner, at its end or anywhere', () => {
    const { db, append, content } = startReply();
    append(0, 'mine');
    append(4, ' theirs', newId());
    append(9, 'theirs', newId());
    expect(content()).toBe('mine');
    db.close();
  });
});
