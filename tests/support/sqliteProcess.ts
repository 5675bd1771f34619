/**
 * A process of its own around the embedded database, for tests that kill it, race it or look at its end.
 * `node sqliteProcess.ts <file> <task>`; it reports one JSON value per line.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Worker } from 'node:worker_threads';
import { createLogger } from '../../src/lib/logger.ts';
import { openSqliteStores } from '../../src/models/sqlite/index.ts';
import type { Stores } from '../../src/models/stores.ts';
import { newId } from '../../src/lib/ids.ts';
import { firstTurn, newTurn } from '../contract/stores/rows.ts';

const [file = '', task = ''] = process.argv.slice(2);
const report = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : String(error));

const threads: Worker[] = [];
process.on('worker', (worker) => threads.push(worker));

/** Sends and streams until it is killed; says what was acknowledged. */
const write = async ({ messages }: Stores): Promise<void> => {
  const sender = async (): Promise<void> => {
    const turn = firstTurn(newId());
    await messages.appendTurn(turn);
    report({ ownerId: turn.ownerId, clientMessageId: turn.clientMessageId });
    for (let offset = 0; ; offset += 3) {
      const next = newTurn(turn.ownerId, turn.chatId);
      await messages.appendTurn(next);
      report({ ownerId: next.ownerId, clientMessageId: next.clientMessageId });
      await messages.appendLog([{ ownerId: turn.ownerId, messageId: turn.reply.id, offset, text: 'abc' }]);
      report({ ownerId: turn.ownerId, replyId: turn.reply.id, length: offset + 3 });
    }
  };
  await Promise.all(Array.from({ length: 20 }, sender));
};

/** A fixed number of sends, some of which may fail; says which, and whether the database works at the end. */
const count = async (stores: Stores): Promise<void> => {
  for (let round = 0; round < 40; round += 1) {
    const turn = firstTurn(newId());
    const outcome = await stores.messages.appendTurn(turn).then(() => 'stored', nameOf);
    report({ ownerId: turn.ownerId, clientMessageId: turn.clientMessageId, outcome });
  }
  await stores.close();
};

/** The writing thread dies with calls under way, and calls follow. */
const loseThread = async (stores: Stores): Promise<void> => {
  const turns = Array.from({ length: 200 }, () => firstTurn(newId()));
  const outcomes = turns.map(async (turn) => {
    const outcome = await stores.messages.appendTurn(turn).then(() => 'stored', nameOf);
    report({ ownerId: turn.ownerId, clientMessageId: turn.clientMessageId, outcome });
  });
  await nextTurn();
  void threads[0]?.terminate();
  await Promise.all(outcomes);
  const after = firstTurn(newId());
  await stores.messages.appendTurn(after);
  report({ ownerId: after.ownerId, clientMessageId: after.clientMessageId, outcome: 'stored after' });
  await stores.close();
};

/** One write that nobody waits for, and no close: the process ends by itself, after the write. */
const leave = async ({ messages }: Stores): Promise<void> => {
  const turn = firstTurn(newId());
  report({ ownerId: turn.ownerId, clientMessageId: turn.clientMessageId });
  void messages.appendTurn(turn);
};

/** Keeps the database until its input ends. */
const hold = async (stores: Stores): Promise<void> => {
  report('open');
  for await (const _chunk of process.stdin);
  await stores.close();
};

const TASKS: Readonly<Record<string, (stores: Stores) => Promise<void>>> = { write, count, loseThread, leave, hold };

const logger = createLogger({ level: 'error', service: 'test', format: 'json', stream: process.stderr });
try {
  await TASKS[task]?.(await openSqliteStores({ file, logger }));
} catch (error) {
  report({ refused: error instanceof Error ? error.message : String(error) });
}
