import { describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { newId } from '../../src/lib/ids.ts';
import { StoreUnavailableError } from '../../src/models/errors.ts';
import { migrate } from '../../src/models/sqlite/database.ts';
import { openSqliteStores } from '../../src/models/sqlite/index.ts';
import { MIGRATIONS } from '../../src/models/sqlite/migrations/index.ts';
import { at, firstTurn } from '../contract/stores/rows.ts';
import { allReports, newFile, openNew, quietLogger, startProcess } from '../support/sqliteFixture.ts';

const open = (file: string) => openSqliteStores({ file, logger: quietLogger });
const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const isWindows = process.platform === 'win32';

/** Whether this account may mount; tests that need it skip visibly where it may not. */
const canMount = ((): boolean => {
  if (process.platform !== 'linux') return false;
  const probe = mkdtempSync(join(tmpdir(), 'parley-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', probe], { stdio: 'ignore' });
    execFileSync('umount', [probe], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const contentOf = (file: string): string => readFileSync(file).toString('hex');

describe('files', () => {
  (isWindows ? test.skip : test)('a new database, opened, is for its owner’s eyes only', async () => {
    const file = join(dirname(newFile()), 'made', 'by-us', 'parley.db');
    const stores = await open(file);
    await stores.messages.appendTurn(firstTurn(newId()));
    const modes = [dirname(file), file, `${file}-wal`, `${file}-shm`, join(dirname(file), 'parley.lock')].map(modeOf);
    expect(modes).toEqual(['700', '600', '600', '600', '600']);
    await stores.close();
  });

  (isWindows ? test.skip : test)('a file that others may read, opened, is so no longer', async () => {
    const file = newFile();
    await (await open(file)).close();
    chmodSync(file, 0o644);
    const stores = await open(file);
    await stores.ping();
    expect([file, `${file}-wal`].map(modeOf)).toEqual(['600', '600']);
    await stores.close();
  });

  test('a database, closed and opened, has everything, and its log has moved into the file', async () => {
    const file = newFile();
    const turn = firstTurn(newId());
    const first = await open(file);
    await first.messages.appendTurn(turn);
    await first.close();
    expect(statSync(`${file}-wal`, { throwIfNoEntry: false })).toBeUndefined();
    const second = await open(file);
    expect(await second.messages.findTurn(turn.ownerId, turn.clientMessageId)).toMatchObject({
      turn: { reply: { id: turn.reply.id } },
    });
    await second.close();
  });

  test('closed stores, asked for anything, are unavailable; closing again does nothing', async () => {
    const stores = await open(newFile());
    await Promise.all([stores.close(), stores.close()]);
    await expect(stores.users.hasAdmin()).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(stores.chats.deleteChats('x')).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(stores.ping()).rejects.toBeInstanceOf(StoreUnavailableError);
  });

  test('writes under way, when the stores close, are stored first', async () => {
    const file = newFile();
    const stores = await open(file);
    const turns = Array.from({ length: 50 }, () => firstTurn(newId()));
    const writes = Promise.all(turns.map((turn) => stores.messages.appendTurn(turn)));
    await Promise.all([stores.close(), writes]);
    const again = await open(file);
    for (const turn of turns) {
      expect(await again.messages.findTurn(turn.ownerId, turn.clientMessageId)).not.toBeNull();
    }
    await again.close();
  });
});

describe('one process', () => {
  test('a database in use, opened again in the same process, is refused; after the close it opens', async () => {
    const file = newFile();
    const first = await open(file);
    await expect(open(file)).rejects.toThrow(/parley\.db is in use by another process.*parley\.lock/);
    await first.messages.appendTurn(firstTurn(newId()));
    await first.close();
    await (await open(file)).close();
  });

  test('four processes, opening a new database at once, are one that has it and three that are told so', async () => {
    const file = newFile();
    const processes = Array.from({ length: 4 }, () => startProcess(file, 'hold'));
    const answers = await Promise.all(processes.map(async ({ reports }) => (await reports.next()).value as unknown));
    const refusals = answers.filter((answer) => answer !== 'open');
    expect(refusals).toHaveLength(3);
    for (const refusal of refusals) expect(refusal).toEqual({ refused: expect.stringMatching(/is in use/) });
    for (const { child } of processes) child.stdin.end();
    expect(await Promise.all(processes.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
  });

  test('a database whose process was killed, opened, is free at once', async () => {
    const file = newFile();
    const holder = startProcess(file, 'hold');
    expect((await holder.reports.next()).value).toBe('open');
    await expect(open(file)).rejects.toThrow(/is in use/);
    holder.child.kill('SIGKILL');
    await holder.ended;
    await (await open(file)).close();
  });

  test('replies that a dead process left running, after the next start, have lapsed at once', async () => {
    const file = newFile();
    const turn = firstTurn(newId(), { lease: { nodeId: 'dead', until: at(1e12) } });
    const first = await open(file);
    await first.messages.appendTurn(turn);
    expect(await first.messages.listLapsedReplies(at(0), at(0), 10)).toEqual([]);
    await first.close();
    const second = await open(file);
    expect(await second.messages.listLapsedReplies(at(0), at(0), 10)).toMatchObject([{ id: turn.reply.id }]);
    await second.close();
  });

  test('a process that neither waits nor closes ends by itself, after its write', async () => {
    const file = newFile();
    const [turn] = await allReports<{ ownerId: string; clientMessageId: string }>(startProcess(file, 'leave'));
    const stores = await open(file);
    expect(await stores.messages.findTurn(turn?.ownerId ?? '', turn?.clientMessageId ?? '')).not.toBeNull();
    await stores.close();
  });
});

describe('migrations', () => {
  test('a new file, migrated twice, has the newest schema and nothing to do', () => {
    const db = openNew(newFile());
    expect([migrate(db), migrate(db)]).toEqual([MIGRATIONS.length, 0]);
    expect(db.get('PRAGMA user_version')).toEqual({ user_version: MIGRATIONS.length });
    expect(db.get('PRAGMA journal_mode')).toEqual({ journal_mode: 'wal' });
    expect(db.get('PRAGMA foreign_keys')).toEqual({ foreign_keys: 1 });
    db.close();
  });

  test('a migration that fails in the middle leaves the file as it was, for the next try', () => {
    const db = openNew(newFile());
    migrate(db);
    const next = 'CREATE TABLE later (id TEXT PRIMARY KEY) STRICT;';
    expect(() => migrate(db, [...MIGRATIONS, next, 'CREATE TABLE later (id TEXT) STRICT;'])).toThrow(/already exists/);
    expect(db.get('PRAGMA user_version')).toEqual({ user_version: MIGRATIONS.length });
    expect(migrate(db, [...MIGRATIONS, next])).toBe(1);
    expect(db.all('SELECT * FROM later')).toEqual([]);
    db.close();
  });
});

describe('refused files', () => {
  /** The file is refused by name, and stays what it was to the last byte. */
  const expectRefusal = async (file: string, reason: RegExp): Promise<void> => {
    const before = contentOf(file);
    const error = await open(file).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(error).toMatchObject({ message: expect.stringMatching(reason) });
    expect(String(error)).toContain(file);
    expect(contentOf(file)).toBe(before);
  };

  test('a database of a newer version', async () => {
    const file = newFile();
    await (await open(file)).close();
    const db = openNew(file);
    db.exec(`PRAGMA user_version = ${String(MIGRATIONS.length + 1)}`);
    db.close();
    await expectRefusal(file, /newer version.*update the server/);
  });

  test('a database of another program', async () => {
    const file = newFile();
    const other = new DatabaseSync(file);
    other.exec('CREATE TABLE bookmarks (url TEXT)');
    other.close();
    await expectRefusal(file, /another program/);
  });

  test('a file that is no database', async () => {
    const file = newFile();
    writeFileSync(file, 'Dear diary, '.repeat(1000));
    await expectRefusal(file, /not a database/);
  });

  test('a database that was cut off', async () => {
    const file = newFile();
    const stores = await open(file);
    for (let count = 0; count < 20; count += 1) await stores.messages.appendTurn(firstTurn(newId()));
    await stores.close();
    truncateSync(file, 8192);
    await expectRefusal(file, /malformed/);
  });

  test('a directory in the place of the file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'parley-sqlite-'));
    await expect(open(directory)).rejects.toThrow(directory);
  });

  test('a path through a file', async () => {
    const file = newFile();
    closeSync(openSync(file, 'w'));
    await expect(open(join(file, 'parley.db'))).rejects.toBeInstanceOf(StoreUnavailableError);
  });

  (canMount ? test : test.skip)('a file on a disk that cannot be written (needs the right to mount)', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'parley-readonly-'));
    const file = join(directory, 'parley.db');
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory]);
    try {
      await (await open(file)).close();
      execFileSync('mount', ['-o', 'remount,ro', directory]);
      await expectRefusal(file, /readonly|read-only|unable to open/);
    } finally {
      execFileSync('umount', [directory]);
    }
  });
});
