import { describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '../../src/lib/ids.ts';
import { StoreUnavailableError } from '../../src/models/errors.ts';
import { createGroupRunner, type Outcome } from '../../src/models/sqlite/group.ts';
import { openSqliteStores } from '../../src/models/sqlite/index.ts';
import { createSyncStores, type Operation, type StoreName } from '../../src/models/sqlite/operations.ts';
import type { NewTurn, Stores } from '../../src/models/stores.ts';
import { at, firstTurn, newTurn, newUser } from '../contract/stores/rows.ts';
import { allReports, newDatabase, newFile, openNew, quietLogger, startProcess } from '../support/sqliteFixture.ts';

const open = (file: string) => openSqliteStores({ file, logger: quietLogger });

let lastId = 0;
const operation = (store: StoreName, method: string, ...args: readonly unknown[]): Operation => ({
  id: (lastId += 1),
  store,
  method,
  args,
});

const newGroup = () => {
  const db = newDatabase();
  const stores = createSyncStores(db);
  return { db, stores, run: createGroupRunner(db, stores) };
};

const kindOf = (outcome: Outcome): string => (outcome.ok ? 'stored' : outcome.error.kind);

interface Sent {
  readonly ownerId: string;
  readonly clientMessageId: string;
  readonly outcome: string;
}

/** The sends that were acknowledged but are not there, and those that failed but are. */
const disagreements = async (stores: Stores, sent: readonly Sent[]): Promise<Sent[]> => {
  const wrong: Sent[] = [];
  for (const item of sent) {
    const found = await stores.messages.findTurn(item.ownerId, item.clientMessageId);
    if ((found !== null) !== item.outcome.startsWith('stored')) wrong.push(item);
  }
  return wrong;
};

const expectSound = (file: string): void => {
  const db = openNew(file);
  expect(db.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' });
  expect(db.all('PRAGMA foreign_key_check')).toEqual([]);
  db.close();
};

describe('a group', () => {
  test('with one operation that fails, keeps the others', () => {
    const { run, stores, db } = newGroup();
    const [first, second] = [newUser(), newUser()];
    const outcomes = run([
      operation('users', 'createUser', first),
      operation('users', 'createUser', newUser({ username: first.username.toUpperCase() })),
      operation('users', 'createUser', second),
    ]);
    expect(outcomes).toMatchObject([
      { ok: true },
      { ok: false, error: { kind: 'duplicate', field: 'username' } },
      { ok: true },
    ]);
    expect([stores.users.findUser(first.id), stores.users.findUser(second.id)]).toEqual([first, second]);
    db.close();
  });

  test('with an operation that fails at its last step, takes back its first steps', () => {
    const { run, stores, db } = newGroup();
    const good = firstTurn(newId());
    const bad = firstTurn(newId(), { reply: { id: good.reply.id, model: null } });
    expect(
      run([operation('messages', 'appendTurn', good), operation('messages', 'appendTurn', bad)]).map(kindOf),
    ).toEqual(['stored', 'duplicate']);
    expect(stores.chats.findChat(bad.ownerId, bad.chatId)).toBeNull();
    expect(stores.messages.listMessages(bad.ownerId, bad.chatId, null, 10)).toEqual([]);
    db.close();
  });

  test('with a defect of ours in one operation, keeps the others and tells what it was', () => {
    const { run, db } = newGroup();
    const outcomes = run([operation('messages', 'appendTurn', null), operation('users', 'createUser', newUser())]);
    expect(outcomes).toMatchObject([{ ok: false, error: { kind: 'defect' } }, { ok: true }]);
    db.close();
  });

  test('while another program holds the database, fails as a whole; after that it works', () => {
    const { run, db } = newGroup();
    db.exec('PRAGMA busy_timeout = 0');
    const other = openNew(db.file);
    other.exec('BEGIN IMMEDIATE');
    const group = [operation('users', 'createUser', newUser()), operation('users', 'createUser', newUser())];
    expect(run(group).map(kindOf)).toEqual(['unavailable', 'unavailable']);
    other.exec('ROLLBACK');
    expect(run(group).map(kindOf)).toEqual(['stored', 'stored']);
    other.close();
    db.close();
  });

  test('waits for the disk as soon as one operation must be durable, and only then', () => {
    const { run, db } = newGroup();
    const turn = firstTurn(newId());
    const entry = { ownerId: turn.ownerId, messageId: turn.reply.id, offset: 0, text: 'a' };
    const log = () => operation('messages', 'appendLog', [entry]);
    const synchronousAfter = (...group: Operation[]): unknown => {
      run(group);
      return db.get('PRAGMA synchronous');
    };
    const [NORMAL, FULL] = [{ synchronous: 1 }, { synchronous: 2 }];
    expect(synchronousAfter(operation('messages', 'appendTurn', turn))).toEqual(FULL);
    expect(synchronousAfter(log())).toEqual(NORMAL);
    expect(synchronousAfter(operation('messages', 'renewLeases', 'node-1', [turn.reply.id], at(1)))).toEqual(NORMAL);
    expect(synchronousAfter(log(), operation('users', 'createUser', newUser()), log())).toEqual(FULL);
    db.close();
  });

  test('200 calls of one turn of the event loop, answered, are far fewer groups', async () => {
    const file = newFile();
    const stores = await open(file);
    const reader = openNew(file);
    const changes = () => (reader.get('PRAGMA data_version') as { data_version: number }).data_version;
    let groups = 0;
    let version = changes();
    await Promise.all(
      Array.from({ length: 200 }, async () => {
        await stores.messages.appendTurn(firstTurn(newId()));
        const now = changes();
        if (now !== version) groups += 1;
        version = now;
      }),
    );
    expect(groups).toBeGreaterThan(0);
    expect(groups).toBeLessThan(20);
    reader.close();
    await stores.close();
  });
});

describe('the writing thread', () => {
  test('that dies with calls under way, rejects these, is replaced, and loses nothing that it acknowledged', async () => {
    const file = newFile();
    const sent = await allReports<Sent>(startProcess(file, 'loseThread'));
    expect(sent).toHaveLength(201);
    expect(sent.at(-1)?.outcome).toBe('stored after');
    const outcomes = new Set(sent.slice(0, -1).map(({ outcome }) => outcome));
    expect([...outcomes].filter((outcome) => outcome !== 'stored')).toEqual(['StoreUnavailableError']);
    const stores = await open(file);
    const acknowledged = sent.filter(({ outcome }) => outcome.startsWith('stored'));
    expect(await disagreements(stores, acknowledged)).toEqual([]);
    await stores.close();
    expectSound(file);
  });

  test('that is sent what cannot travel between threads, rejects that call and works on', async () => {
    const stores = await open(newFile());
    const turn = { ...firstTurn(newId()), preview: (() => 'no text') as never };
    await expect(stores.messages.appendTurn(turn)).rejects.toThrow(/could not be cloned/);
    await stores.messages.appendTurn(firstTurn(newId()));
    await stores.close();
  });

  test('errors, thrown there, arrive here as what they were', async () => {
    const stores = await open(newFile());
    const turn = firstTurn(newId());
    await stores.messages.appendTurn(turn);
    const tryTurn = (changes: Partial<NewTurn>) =>
      stores.messages.appendTurn(newTurn(turn.ownerId, turn.chatId, changes));
    await expect(tryTurn({ chatId: newId() })).rejects.toMatchObject({ name: 'MissingReferenceError', what: 'chat' });
    await expect(tryTurn({ parentId: newId() })).rejects.toMatchObject({
      name: 'MissingReferenceError',
      what: 'parent',
    });
    await expect(tryTurn({ maxUnfinished: 0 })).rejects.toMatchObject({ name: 'ChatFullError' });
    await expect(stores.messages.appendTurn({ ...firstTurn(newId()), at: null as never })).rejects.toThrow(/null/);
    await stores.close();
  });
});

/** What `sqliteProcess.ts write` says was acknowledged: a turn, or the length of a reply's log. */
type Acknowledged =
  | { readonly ownerId: string; readonly clientMessageId: string }
  | { readonly ownerId: string; readonly replyId: string; readonly length: number };

const isThere = async ({ messages }: Stores, acknowledged: Acknowledged): Promise<boolean> => {
  if ('clientMessageId' in acknowledged) {
    const stored = await messages.findTurn(acknowledged.ownerId, acknowledged.clientMessageId);
    return stored !== null && stored.turn !== null;
  }
  const reply = await messages.findMessage(acknowledged.ownerId, acknowledged.replyId);
  return reply !== null && reply.content.length >= acknowledged.length;
};

describe('a killed process', () => {
  test('in mid-writes, three times, leaves every acknowledged write and a sound file', async () => {
    const file = newFile();
    for (let round = 0; round < 3; round += 1) {
      const { child, reports, ended } = startProcess(file, 'write');
      const acknowledged: Acknowledged[] = [];
      for await (const report of reports) {
        acknowledged.push(report as Acknowledged);
        if (acknowledged.length === 300) child.kill('SIGKILL');
      }
      await ended;
      expect(acknowledged.length).toBeGreaterThanOrEqual(300);
      const stores = await open(file);
      const missing: Acknowledged[] = [];
      for (const item of acknowledged) if (!(await isThere(stores, item))) missing.push(item);
      expect(missing).toEqual([]);
      await stores.close();
      expectSound(file);
    }
  });
});

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const hasTmpfs = isRoot && spawnSync('mount', ['--version']).status === 0;
const strace = ['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=fsync,fdatasync'];
const hasStrace = spawnSync('strace', [...strace.slice(1), 'true'], { stdio: 'ignore' }).status === 0;

describe('a disk', () => {
  (hasTmpfs ? test : test.skip)(
    'that is full, refuses writes whole, serves reads, and recovers (needs mount)',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'parley-full-'));
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]);
      try {
        const file = join(directory, 'parley.db');
        const ballast = join(directory, 'ballast');
        const stores = await open(file);
        writeFileSync(ballast, Buffer.alloc(1_500_000));
        const sent: Sent[] = [];
        const send = async (): Promise<void> => {
          const turn = firstTurn(newId(), { userMessage: { id: newId(), content: 'long '.repeat(2000) } });
          const outcome = await stores.messages.appendTurn(turn).then(
            () => 'stored',
            (error: unknown) => (error instanceof StoreUnavailableError ? 'unavailable' : String(error)),
          );
          sent.push({ ownerId: turn.ownerId, clientMessageId: turn.clientMessageId, outcome });
        };
        while (!sent.some(({ outcome }) => outcome !== 'stored')) await Promise.all(Array.from({ length: 10 }, send));
        expect(new Set(sent.map(({ outcome }) => outcome))).toEqual(new Set(['stored', 'unavailable']));
        expect(await disagreements(stores, sent)).toEqual([]);
        rmSync(ballast);
        await Promise.all(Array.from({ length: 10 }, send));
        expect(sent.slice(-10).map(({ outcome }) => outcome)).toEqual(Array(10).fill('stored'));
        expect(await disagreements(stores, sent)).toEqual([]);
        await stores.close();
        expectSound(file);
      } finally {
        execFileSync('umount', ['-l', directory]);
      }
    },
  );

  (hasStrace ? test : test.skip)('whose flush fails, refuses those writes, and recovers (needs strace)', async () => {
    const file = newFile();
    const inject = ['-e', 'inject=fsync,fdatasync:error=EIO:when=12..14'];
    const sent = await allReports<Sent>(startProcess(file, 'count', [...strace, ...inject]));
    expect(sent).toHaveLength(40);
    expect(new Set(sent.map(({ outcome }) => outcome))).toEqual(new Set(['stored', 'StoreUnavailableError']));
    expect(sent.at(-1)?.outcome).toBe('stored');
    const stores = await open(file);
    expect(await disagreements(stores, sent)).toEqual([]);
    await stores.close();
    expectSound(file);
  });
});
