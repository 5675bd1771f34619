/**
 * Where should the embedded database commit? Compares, on the same load and the same SQL:
 *   worker   the shipped design: a writing thread that commits in groups
 *   grouped  group commit on the main thread, one group per turn of the event loop
 *   single   the main thread, one commit per call
 * Run: node bench/sqlite-writer.ts [seconds per round] [rounds]
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../src/lib/ids.ts';
import { createLogger } from '../src/lib/logger.ts';
import { migrate, openDatabase } from '../src/models/sqlite/database.ts';
import { createGroupRunner, type Outcome } from '../src/models/sqlite/group.ts';
import { openSqliteStores } from '../src/models/sqlite/index.ts';
import { createSyncStores, type Operation } from '../src/models/sqlite/operations.ts';
import type { MessageStore, NewTurn } from '../src/models/stores.ts';

const ROUND_MS = Number(process.argv[2] ?? 4) * 1000;
const ROUNDS = Number(process.argv[3] ?? 3);
const SENDERS = 200;
const STREAMS = 50;
const TICK_MS = 20;
/** Next to the sources, since a temporary directory is often memory, which never makes anybody wait. */
const RESULTS = join(import.meta.dirname, 'results');

type Writes = Pick<MessageStore, 'appendTurn' | 'appendLog'>;
interface Subject {
  readonly writes: Writes;
  close(): Promise<void>;
}

const openWorker = async (file: string): Promise<Subject> => {
  const stores = await openSqliteStores({
    file,
    logger: createLogger({ level: 'error', service: 'bench', format: 'text' }),
  });
  return { writes: stores.messages, close: () => stores.close() };
};

/** The same group runner on the main thread; `maxGroup` 1 commits every call by itself. */
const openMain = (file: string, maxGroup: number): Subject => {
  const db = openDatabase(file, { readOnly: false });
  migrate(db);
  const runGroup = createGroupRunner(db, createSyncStores(db));
  let queue: Operation[] = [];
  const waiting = new Map<number, (outcome: Outcome) => void>();
  let lastId = 0;
  const flush = (): void => {
    const group = queue.splice(0, maxGroup);
    if (queue.length > 0) setImmediate(flush);
    for (const outcome of runGroup(group)) {
      waiting.get(outcome.id)?.(outcome);
      waiting.delete(outcome.id);
    }
  };
  const call = (method: string, args: readonly unknown[]): Promise<never> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, (outcome) => {
        if (outcome.ok) resolve(outcome.value as never);
        else reject(new Error(JSON.stringify(outcome.error)));
      });
      if (queue.length === 0) setImmediate(flush);
      queue.push({ id, store: 'messages', method, args });
    });
  return {
    writes: { appendTurn: (turn) => call('appendTurn', [turn]), appendLog: (entries) => call('appendLog', [entries]) },
    close: async () => {
      queue = [];
      db.close();
    },
  };
};

const SUBJECTS: Readonly<Record<string, (file: string) => Promise<Subject>>> = {
  worker: openWorker,
  grouped: async (file) => openMain(file, Number.MAX_SAFE_INTEGER),
  single: async (file) => openMain(file, 1),
};

const newTurn = (ownerId: string, chatId: string, isNew: boolean): NewTurn => ({
  ownerId,
  createdBy: ownerId,
  clientMessageId: newId(),
  fingerprint: 'f'.repeat(64),
  chatId,
  newChat: isNew ? { title: 'A chat of the bench', model: null, systemPrompt: null } : null,
  parentId: undefined,
  userMessage: { id: newId(), content: 'What is the answer? '.repeat(10) },
  reply: { id: newId(), model: 'bench/model' },
  lease: { nodeId: 'bench', until: new Date(Date.now() + 15_000) },
  maxUnfinished: 1_000_000,
  preview: 'What is the answer?',
  at: new Date(),
});

interface Figures {
  readonly turns: number;
  readonly logs: number;
  readonly latencyP50: number;
  readonly latencyP99: number;
  readonly stallP99: number;
  readonly stallMax: number;
  readonly cpuUs: number;
}

const percentile = (values: readonly number[], p: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * p)] ?? NaN;

/** @param pauseMs how long a sender waits between two turns; 0: as fast as the database answers */
const measure = async ({ appendTurn, appendLog }: Writes, pauseMs: number): Promise<Figures> => {
  const latencies: number[] = [];
  let logs = 0;
  const until = performance.now() + ROUND_MS;
  const sender = async (): Promise<void> => {
    const ownerId = newId();
    await sleep(Math.random() * pauseMs);
    let chatId = newId();
    for (let count = 0; performance.now() < until; count += 1) {
      if (count % 10 === 0) chatId = newId();
      const startedAt = performance.now();
      await appendTurn(newTurn(ownerId, chatId, count % 10 === 0));
      latencies.push(performance.now() - startedAt);
      if (pauseMs > 0) await sleep(pauseMs);
    }
  };
  /** As `services/replies/replyLog.ts` writes: one call per tick with what all running replies have. */
  const streams = async (): Promise<void> => {
    const turns = Array.from({ length: STREAMS }, () => newTurn(newId(), newId(), true));
    await Promise.all(turns.map(appendTurn));
    const text = 'some words of the reply ';
    for (let offset = 0; performance.now() < until; offset += text.length) {
      await appendLog(turns.map(({ ownerId, reply }) => ({ ownerId, messageId: reply.id, offset, text })));
      logs += 1;
      await sleep(TICK_MS);
    }
  };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all([...Array.from({ length: SENDERS }, sender), streams()]);
  const seconds = (performance.now() - startedAt) / 1000;
  const used = process.cpuUsage(cpu);
  delay.disable();
  return {
    turns: latencies.length / seconds,
    logs: logs / seconds,
    latencyP50: percentile(latencies, 0.5),
    latencyP99: percentile(latencies, 0.99),
    stallP99: delay.percentile(99) / 1e6,
    stallMax: delay.max / 1e6,
    cpuUs: (used.user + used.system) / (latencies.length + logs),
  };
};

const median = (rounds: readonly Figures[], key: keyof Figures): number =>
  percentile(
    rounds.map((round) => round[key]),
    0.5,
  );

const KEYS: readonly (keyof Figures)[] = ['turns', 'logs', 'latencyP50', 'latencyP99', 'stallP99', 'stallMax', 'cpuUs'];

const report = (title: string, results: ReadonlyMap<string, Figures[]>): void => {
  console.log(`\n${title} (median of ${String(ROUNDS)} rounds; in brackets the ratio to worker)`);
  const base = results.get('worker') ?? [];
  const rows = [...results].map(([name, rounds]) => {
    const cells = KEYS.map((key) => {
      const value = median(rounds, key);
      return [key, `${value.toFixed(value < 10 ? 2 : 0)} (${(value / median(base, key)).toFixed(2)})`];
    });
    return [name, Object.fromEntries(cells)] as const;
  });
  console.table(Object.fromEntries(rows));
};

const compare = async (title: string, pauseMs: number): Promise<void> => {
  const results = new Map<string, Figures[]>(Object.keys(SUBJECTS).map((name) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, open] of Object.entries(SUBJECTS)) {
      const directory = mkdtempSync(join(RESULTS, 'sqlite-'));
      const subject = await open(join(directory, 'bench.db'));
      results.get(name)?.push(await measure(subject.writes, pauseMs));
      await subject.close();
      rmSync(directory, { recursive: true });
    }
  }
  report(title, results);
};

mkdirSync(RESULTS, { recursive: true });
await compare(`${String(SENDERS)} senders as fast as they can, ${String(STREAMS)} log streams`, 0);
await compare(`${String(SENDERS)} senders, one turn per second each, ${String(STREAMS)} log streams`, 1000);
console.log(
  'turns, logs: per second; latency: ms per appendTurn; stall: ms of event-loop delay; cpuUs: µs CPU per call',
);
