import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSimulator } from '../../src/services/llm/simulator/index.ts';
import { countedText, newcomerText } from '../../src/services/llm/simulator/text.ts';
import { DOORS, openDoors, type DoorName } from '../support/llmFaults/doors.ts';
import { inParallel } from '../support/llmFaults/inParallel.ts';
import { QUESTION } from '../support/llmFaults/rows.ts';
import { SCENARIOS, shortcomingsOf, type Scenario } from '../support/llmFaults/scenarios.ts';
import { startWorld } from '../support/world.ts';

const LONG = 180_000;
const SECOND = 1000;
const slugsOf = (name: string, door: DoorName): [primary: string, fallback: string] => [
  `p/${name.replace(' ', '-')}-${door}`,
  `q/${name.replace(' ', '-')}-${door}`,
];
const WELL = 'h/well';

/** Where a scenario is about silence, silence is noticed sooner; a failure at once must not look like one. */
const IMPATIENT = { LLM_HEADERS_TIMEOUT: '2500ms', LLM_FIRST_TOKEN_TIMEOUT: '2500ms', LLM_IDLE_TIMEOUT: '2500ms' };
const isSilent = ({ id }: Scenario): boolean => /^S0[679]/.test(id);

interface Timing {
  readonly windows?: Readonly<Record<string, number>>;
  readonly env?: Readonly<Record<string, string>>;
}

/** A node and its simulator whose time a test can let pass. */
const startTimed = async (modes: Readonly<Record<string, string>>, { windows = {}, env = {} }: Timing = {}) => {
  let passedMs = 0;
  const models = Object.keys(modes);
  const settings = Object.fromEntries(
    Object.entries(windows).map(([slug, contextLength]) => [slug, { contextLength }]),
  );
  const upstream = await createSimulator({
    tokenDelayMs: 0,
    models,
    maxLogged: 10_000,
    config: { modes, models: settings },
  });
  const world = await startWorld({
    models,
    upstream,
    env: { MID_STREAM_FAILOVER: 'true', ACCESS_TOKEN_TTL: '1h', ...env },
    clock: { now: () => Date.now() + passedMs },
  });
  const client = await openDoors(world);
  return {
    world,
    upstream,
    client,
    now: () => Date.now() + passedMs,
    pass: (ms: number): void => {
      passedMs += ms;
      upstream.advance(ms);
    },
    stop: async () => {
      client.close();
      await world.stop();
      await upstream.close();
    },
  };
};

type Timed = Awaited<ReturnType<typeof startTimed>>;

/** A node with two models of its own for every scenario and door. */
const startFor = (scenarios: readonly Scenario[], env: Timing['env'] = {}): Promise<Timed> => {
  const modes: Record<string, string> = { [WELL]: 'words:8' };
  const windows: Record<string, number> = {};
  for (const { id, primary, fallback, fallbackWindow } of scenarios) {
    for (const door of DOORS) {
      const [first, second] = slugsOf(id, door);
      modes[first] = primary;
      modes[second] = fallback ?? 'words:20';
      if (fallbackWindow !== undefined) windows[second] = fallbackWindow;
    }
  }
  return startTimed(modes, { windows, env });
};

/** @returns what the scenario lacks at this door */
const play = async ({ client, upstream }: Timed, scenario: Scenario, door: DoorName): Promise<readonly string[]> => {
  const slugs = slugsOf(scenario.id, door);
  const model = scenario.fallback === null ? slugs[0] : slugs.join(',');
  const seen = await client.ask(door, { model, content: QUESTION });
  const calls = upstream.log.filter((call) => slugs.includes(call.model));
  await Promise.all(calls.map(({ settled }) => settled));
  const primary = calls.filter((call) => call.model === slugs[0]);
  const fallback = calls.filter((call) => call.model === slugs[1]);
  return shortcomingsOf(scenario, { door, seen, primary, fallback }, slugs);
};

describe('Failover Bench’s scenarios', () => {
  const found = new Map<Scenario, readonly string[]>();
  const opened: Timed[] = [];

  beforeAll(async () => {
    const silent = await startFor(SCENARIOS.filter(isSilent), IMPATIENT);
    opened.push(silent);
    const quick = await startFor(SCENARIOS.filter((scenario) => !isSilent(scenario)));
    opened.push(quick);
    const cases = SCENARIOS.flatMap((scenario) => DOORS.map((door) => [scenario, door] as const));
    await inParallel(cases, 16, async ([scenario, door]) => {
      const problems = await play(isSilent(scenario) ? silent : quick, scenario, door);
      found.set(scenario, [...(found.get(scenario) ?? []), ...problems]);
    });
  }, LONG);
  afterAll(() => Promise.all(opened.map(({ stop }) => stop())));

  test.each(SCENARIOS)('$id: $title, at every door', (scenario) => {
    expect(found.get(scenario)).toEqual([]);
  });

  test('leave the server alive', async () => {
    for (const { client, world } of opened) {
      for (const door of DOORS) {
        const seen = await client.ask(door, { model: WELL, content: QUESTION });
        expect([door, seen.state, seen.text]).toEqual([door, 'complete', countedText(8)]);
      }
      expect(world.logs().filter(({ level }) => level === 'error')).toEqual([]);
    }
  });
});

describe('without MID_STREAM_FAILOVER, at the plain door of /v1', () => {
  const BROKEN = SCENARIOS.filter(({ id }) => /^S(08|09|10 many|14)$/.test(id));
  let timed: Timed;
  beforeAll(async () => {
    timed = await startFor(BROKEN, { ...IMPATIENT, MID_STREAM_FAILOVER: 'false' });
  });
  afterAll(() => timed.stop());

  test.each(BROKEN)(
    '$id: $title, is served by the other model',
    async (scenario) => {
      expect(await play(timed, scenario, 'v1-plain')).toEqual([]);
    },
    LONG,
  );
});

test(
  'S01: a model that said when to come back is not asked before, at any door, and is after',
  async () => {
    const waitMs = 20 * SECOND;
    const modes = DOORS.flatMap((door) => {
      const [primary, fallback] = slugsOf('S01', door);
      return [
        [primary, 'once:429-retry-after:20'],
        [fallback, 'words:20'],
      ] as const;
    });
    const { client, upstream, pass, stop } = await startTimed(Object.fromEntries(modes));
    try {
      for (const door of DOORS) {
        const slugs = slugsOf('S01', door);
        const ask = () => client.ask(door, { model: slugs.join(','), content: QUESTION });
        const calls = (): number => upstream.log.filter(({ model }) => model === slugs[0]).length;
        for (let count = 0; count < 4; count += 1)
          expect(await ask()).toMatchObject({ state: 'complete', model: slugs[1] });
        expect([door, calls()]).toEqual([door, 1]);
        pass(waitMs);
        for (let count = 0; count < 4 && calls() === 1; count += 1) await ask();
        expect([door, calls()]).toEqual([door, 2]);
      }
    } finally {
      await stop();
    }
  },
  LONG,
);

describe('S15: the first of two models is down for 60 s', () => {
  const MODES = DOORS.flatMap((door) => {
    const [primary, fallback] = slugsOf('S15', door);
    return [
      [primary, 'down:60s,503'],
      [fallback, 'words:20'],
    ] as const;
  });
  const ANSWERS = new Set([countedText(20), newcomerText([{ role: 'user', content: QUESTION }])]);

  test(
    'and of 20 requests all are served at every door, and it is asked again within 30 s of its return',
    async () => {
      const { client, upstream, pass, now, stop } = await startTimed(Object.fromEntries(MODES));
      try {
        const askAll = () =>
          Promise.all(
            DOORS.map(async (door) => {
              const slugs = slugsOf('S15', door);
              const seen = await client.ask(door, { model: slugs.join(','), content: QUESTION });
              return { door, seen };
            }),
          );
        const startedAt = now();
        for (let count = 0; count < 20; count += 1) {
          for (const { door, seen } of await askAll()) {
            expect([count, door, seen.state, ANSWERS.has(seen.text)]).toEqual([count, door, 'complete', true]);
          }
          pass(4 * SECOND);
        }
        const healthyFrom = startedAt + 60 * SECOND;
        const backAt = new Map<DoorName, number>();
        for (const { model, t, status } of upstream.log) {
          const door = DOORS.find((each) => slugsOf('S15', each)[0] === model);
          if (door && status === 200 && !backAt.has(door)) backAt.set(door, t);
        }
        // Twenty requests take 80 s: the last five come after its return.
        for (const door of DOORS) {
          expect([door, (backAt.get(door) ?? Infinity) - healthyFrom < 30 * SECOND]).toEqual([door, true]);
        }
        const { body } = await client.users.json.call('GET', '/api/models');
        const stateOf = new Map(body.items.map(({ id, state }: { id: string; state: string }) => [id, state]));
        for (const door of DOORS) expect(stateOf.get(slugsOf('S15', door)[0])).toMatch(/^(healthy|degraded)$/);
        const calls = upstream.log.filter(({ status }) => status === 503).length / DOORS.length;
        // Three to open its breaker, and a probe every five seconds, each beside the healthy model.
        expect(calls).toBeLessThanOrEqual(15);
      } finally {
        await stop();
      }
    },
    LONG,
  );
});
