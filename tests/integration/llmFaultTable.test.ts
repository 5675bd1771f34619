import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listModes } from '../../src/services/llm/simulator/index.ts';
import { countedText } from '../../src/services/llm/simulator/text.ts';
import { DOORS, openDoors, type DoorClient } from '../support/llmFaults/doors.ts';
import { runFaultTable, type Cell } from '../support/llmFaults/faultTable.ts';
import { isFalseSuccess, isHang, problemsOf } from '../support/llmFaults/judge.ts';
import { CHEAP_FAULTS, FAULT_ROWS, QUESTION } from '../support/llmFaults/rows.ts';
import { startWorld, type World } from '../support/world.ts';

const LONG = 240_000;

test('every mode that the simulator has is in the table', () => {
  const modeOf = (text: string): string => text.split(':', 1)[0]!;
  const covered = new Set(FAULT_ROWS.map(({ mode }) => modeOf(mode)));
  const missing = listModes()
    .map(({ syntax }) => modeOf(syntax))
    .filter((mode) => !covered.has(mode));
  expect(missing).toEqual([]);
});

describe('a rotation whose first model has a fault', () => {
  let cells: readonly Cell[];
  beforeAll(async () => {
    cells = await runFaultTable(FAULT_ROWS, DOORS);
  }, LONG);

  test.each(DOORS)('keeps every promise at %s', (door) => {
    const mine = cells.filter((cell) => cell.door === door);
    expect(mine).toHaveLength(FAULT_ROWS.length);
    expect(mine.flatMap(problemsOf)).toEqual([]);
  });

  test('never passes off a blank, a truncated answer or garbage as an answer, and never hangs', () => {
    expect(cells.filter(isFalseSuccess).map(({ row, door }) => [row.mode, door])).toEqual([]);
    expect(cells.filter(isHang).map(({ row, door }) => [row.mode, door])).toEqual([]);
  });

  test.each(CHEAP_FAULTS)('by %s costs exactly two calls', (mode) => {
    const calls = cells.filter(({ row }) => row.mode === mode).map((cell) => cell.calls);
    expect(calls).toEqual(DOORS.map(() => [1, 1]));
  });
});

describe('the free pool, when its day is spent', () => {
  let world: World;
  let client: DoorClient;
  const models = DOORS.flatMap((door) => [`f/${door}:free`, `h/${door}:free`]);
  beforeAll(async () => {
    world = await startWorld({ models });
    world.upstream.config({ modes: Object.fromEntries(models.map((model) => [model, '429-day'])) });
    client = await openDoors(world);
  });
  afterAll(async () => {
    client.close();
    await world.stop();
  });

  test('costs exactly one call, and nobody is asked again at any door', async () => {
    for (const door of DOORS) {
      const seen = await client.ask(door, { model: `f/${door}:free,h/${door}:free`, content: QUESTION });
      expect([door, seen.state, seen.code]).toEqual([
        door,
        'refused',
        door.startsWith('v1') ? 'overloaded' : 'LLM_UNAVAILABLE',
      ]);
    }
    expect(world.upstream.log.map(({ model }) => model)).toEqual([`f/${DOORS[0]!}:free`]);
  });
});

describe('with MID_STREAM_FAILOVER, an answer that breaks off', () => {
  const CUTS = [
    'cut-after:12',
    'fin-mid-chunk:12',
    'err-mid:12',
    'err-choice-only:12',
    'event-error:12',
    'stall-mid:12',
  ];
  const TEXT = countedText(20);
  let world: World;
  let client: DoorClient;
  const cases = CUTS.flatMap((mode, index) =>
    DOORS.map((door) => ({ mode, door, first: `f/${String(index)}-${door}`, second: `h/${String(index)}-${door}` })),
  );
  beforeAll(async () => {
    const models = [...cases.map(({ first }) => first), ...cases.map(({ second }) => second)];
    world = await startWorld({ models, env: { MID_STREAM_FAILOVER: 'true', LLM_IDLE_TIMEOUT: '1500ms' } });
    world.upstream.config({
      modes: Object.fromEntries(
        cases.flatMap(({ mode, first, second }) => [
          [first, mode],
          [second, 'words:20'],
        ]),
      ),
    });
    client = await openDoors(world);
  });
  afterAll(async () => {
    client.close();
    await world.stop();
  });

  test.each(CUTS)(
    'by %s is one text without a seam at every door, for two calls',
    async (mode) => {
      const mine = cases.filter((each) => each.mode === mode);
      const seen = await Promise.all(
        mine.map(({ door, first, second }) => client.ask(door, { model: `${first},${second}`, content: QUESTION })),
      );
      expect(seen.map(({ state, text, ends }) => ({ state, text, ends }))).toEqual(
        DOORS.map(() => ({ state: 'complete', text: TEXT, ends: 1 })),
      );
      for (const { first, second } of mine) {
        const asked = world.upstream.log
          .map(({ model }) => model)
          .filter((model) => model === first || model === second);
        expect(asked).toEqual([first, second]);
      }
    },
    LONG,
  );
});
