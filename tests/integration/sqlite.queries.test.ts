import { describe, expect, test } from '@jest/globals';
import type { SQLInputValue } from 'node:sqlite';
import { newId } from '../../src/lib/ids.ts';
import type { Database } from '../../src/models/sqlite/database.ts';
import { createSyncStores } from '../../src/models/sqlite/operations.ts';
import { releaseLeases } from '../../src/models/sqlite/reply.store.ts';
import type { ChatSort } from '../../src/models/stores.ts';
import { at, firstTurn, newLogin, newTicket, newTurn, newUser, replyEnd } from '../contract/stores/rows.ts';
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
/** Steps over what another step has already cut down to the page; everything else must be a search in an index. */
const SMALL_SCAN = /^SCAN (branch|lapsed|json_each|\(subquery-\d+\))/;

describe('query plans', () => {
  test('every statement of every store, explained, walks an index and never a whole table', () => {
    const { db, plans } = withPlans(newDatabase());
    const { users, logins, chats, messages, sync } = createSyncStores(db);
    const user = newUser();
    const turn = firstTurn(user.id);
    const second = newTurn(user.id, turn.chatId, { parentId: turn.userMessage?.id ?? null });
    const [login, ticket] = [newLogin(user.id), newTicket(user.id)];

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
    messages.startReply(user.id, second.reply.id, 'm', at(1));
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
    const { chats, messages, sync } = createSyncStores(db);
    for (const sort of SORTS) chats.listChats('o', { sort, titleQuery: 'a', after: { at: at(0), id: 'x' }, limit: 10 });
    sync.listChanges('o', { after: null, limit: 10, maxBytes: 1000 });
    chats.listIdleChats(at(9), 10);
    messages.listMessages('o', 'c', 5, 10);
    messages.listChildren('o', 'c', null);
    messages.listUnfinished('o', 'c');
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
