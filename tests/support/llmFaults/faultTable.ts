import type { Clock } from '../../../src/lib/clock.ts';
import { createSimulator, type Simulator } from '../../../src/services/llm/simulator/index.ts';
import { startWorld, type TestUser, type World } from '../world.ts';
import { openDoors, type DoorClient, type DoorName, type Seen } from './doors.ts';
import { inParallel } from './inParallel.ts';
import { HEALTHY_WORDS, QUESTION, type FaultRow } from './rows.ts';

/** A cell of the table. */
export interface Cell {
  readonly row: FaultRow;
  readonly door: DoorName;
  readonly seen: Seen;
  /** Calls of the faulty model, and of the healthy one. */
  readonly calls: readonly [faulty: number, healthy: number];
  /** As the store has it at the native doors; null at `/v1`, which keeps no text. */
  readonly stored: { readonly status: string; readonly content: string } | null;
  /** Final states told by the time all rows were over. */
  readonly ends: number;
}

/** Silence is noticed after this, so that the table takes seconds; a busy machine must not come near it. */
const PATIENCE = '4s';
/** Factor on the simulator's own waits: 20 s to a first token, 30 s of stall, 50 ms between two bytes. */
const SCALE = 0.01;
/** Cells at once; those that only wait are all at once. */
const PARALLEL = 8;
const PARALLEL_SLOW = 1;
/** Longer than a refused key is left alone. */
const KEY_PAUSE_MS = 31_000;

interface Case {
  readonly row: FaultRow;
  readonly door: DoorName;
  readonly faulty: string;
  readonly healthy: string;
}

/** Two models of its own for every cell, so that no cell meets what another has taught the router. */
const casesOf = (rows: readonly FaultRow[], doors: readonly DoorName[]): readonly Case[] =>
  rows.flatMap((row, index) =>
    doors.map((door) => ({ row, door, faulty: `f/${String(index)}-${door}`, healthy: `h/${String(index)}-${door}` })),
  );

interface Desk {
  readonly world: World;
  readonly upstream: Simulator;
  readonly client: DoorClient;
  /** Lets time pass for the node and the simulator. */
  pass(ms: number): void;
  close(): Promise<void>;
}

const openDesk = async (cases: readonly Case[]): Promise<Desk> => {
  let passedMs = 0;
  const clock: Clock = { now: () => Date.now() + passedMs };
  const models = [...cases.map(({ faulty }) => faulty), ...cases.map(({ healthy }) => healthy)];
  const modes = Object.fromEntries(
    cases.flatMap(({ row, faulty, healthy }) => [
      [faulty, row.mode],
      [healthy, `words:${String(HEALTHY_WORDS)}`],
    ]),
  );
  const config = { modes, scale: SCALE };
  const upstream = await createSimulator({ tokenDelayMs: 0, models, maxLogged: 100_000, config });
  const env = {
    LLM_CONNECT_TIMEOUT: PATIENCE,
    LLM_HEADERS_TIMEOUT: PATIENCE,
    LLM_FIRST_TOKEN_TIMEOUT: PATIENCE,
    LLM_IDLE_TIMEOUT: PATIENCE,
    ACCESS_TOKEN_TTL: '1h',
    LOG_LEVEL: 'warn',
  };
  const world = await startWorld({ models, upstream, env, clock });
  const client = await openDoors(world);
  return {
    world,
    upstream,
    client,
    pass: (ms) => {
      passedMs += ms;
      upstream.advance(ms);
    },
    close: async () => {
      client.close();
      await world.stop();
      await upstream.close();
    },
  };
};

const fetchStored = async (user: TestUser, messageId: string | null): Promise<Cell['stored']> => {
  if (messageId === null) return null;
  const { body } = await user.call('GET', `/api/chat/messages/${messageId}`);
  return { status: body.status, content: body.content };
};

const runCase = async ({ client, upstream }: Desk, { row, door, faulty, healthy }: Case): Promise<Cell> => {
  const seen = await client.ask(door, { model: `${faulty},${healthy}`, content: QUESTION });
  const callsOf = (model: string): number => upstream.log.filter((call) => call.model === model).length;
  const stored = await fetchStored(client.users[door], seen.messageId);
  return { row, door, seen, stored, ends: seen.ends, calls: [callsOf(faulty), callsOf(healthy)] };
};

/** What cells may share the server with. */
const kindOf = ({ row: { mode, expected } }: Case): 'quick' | 'slow' | 'waiting' | 'alone' => {
  // What concerns the key or the port concerns every other row too.
  if (expected.is === 'closed' || (expected.is === 'refused' && expected.by === 'account')) return 'alone';
  if (expected.is === 'good' && expected.isSlow) return 'slow';
  return /^(stall|silence|comments-mid)/.test(mode) ? 'waiting' : 'quick';
};

/**
 * One way through all rows at all doors. Nothing is judged here: `problemsOf` does.
 * @param parallel cells at once; with 1 the times are those of a server that has nothing else to do
 */
export const runFaultTable = async (
  rows: readonly FaultRow[],
  doors: readonly DoorName[],
  parallel = PARALLEL,
): Promise<readonly Cell[]> => {
  const cases = casesOf(rows, doors);
  const { quick = [], slow = [], waiting = [], alone = [] } = Object.groupBy(cases, kindOf);
  const desk = await openDesk(cases);
  const cells = new Map<Case, Cell>();
  const run = async (each: Case): Promise<void> => void cells.set(each, await runCase(desk, each));
  try {
    await inParallel(quick, parallel, run);
    await inParallel(slow, PARALLEL_SLOW, run);
    await inParallel(waiting, waiting.length, run);
    for (const each of alone) {
      await run(each);
      desk.pass(KEY_PAUSE_MS);
      await desk.client.ask('v1-plain', { model: each.healthy, content: QUESTION });
    }
    return cases.flatMap((each) => {
      const cell = cells.get(each);
      if (!cell) return [];
      const { messageId } = cell.seen;
      return [{ ...cell, ends: messageId === null ? cell.ends : desk.client.endsOf(each.door, messageId) }];
    });
  } finally {
    await desk.close();
  }
};
