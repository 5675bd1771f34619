import { setTimeout as delay } from 'node:timers/promises';
import { createSimulator } from '../../../src/services/llm/simulator/index.ts';
import { startWorld } from '../world.ts';
import { openDoors, type DoorName, type Seen } from './doors.ts';
import { HEALTHY_TEXT, QUESTION } from './rows.ts';

/** A tenth of life: 1 s for the first token instead of 10 s, so 6 s of silence for a minute. */
const FIRST_TOKEN = '1s';
const SILENCE_MS = 6_000;
const REQUESTS = 20;
const PACE_MS = SILENCE_MS / REQUESTS;
const SICK = 'f/sick';
const WELL = 'h/well';

export interface SilenceReport {
  readonly served: number;
  /** Requests that were given to the silent model and waited for it in vain. */
  readonly waited: number;
  /** Calls of the silent model while it was. */
  readonly calls: number;
  /** From its recovery to the first token that it sent; scaled milliseconds. */
  readonly backAfterMs: number;
  readonly slowestMs: number;
}

/** One of two models is silent, from its first call on, while twenty requests come at their own pace. */
export const runSilence = async (door: DoorName): Promise<SilenceReport> => {
  const models = [SICK, WELL];
  const modes = { [SICK]: `down:${String(SILENCE_MS)}ms,stall-first-token`, [WELL]: 'words:20' };
  const upstream = await createSimulator({ tokenDelayMs: 0, models, config: { modes } });
  const world = await startWorld({ models, upstream, env: { LLM_FIRST_TOKEN_TIMEOUT: FIRST_TOKEN } });
  const client = await openDoors(world);
  try {
    const ask = (): Promise<Seen> => client.ask(door, { model: 'auto', content: QUESTION });
    const asked: Promise<Seen>[] = [];
    for (let count = 0; count < REQUESTS; count += 1) {
      asked.push(ask());
      await delay(PACE_MS);
    }
    const seen = await Promise.all(asked);
    const sick = () => upstream.log.filter(({ model }) => model === SICK);
    const healedAt = (sick()[0]?.t ?? NaN) + SILENCE_MS;
    const back = () => sick().find(({ firstTokenAt }) => firstTokenAt !== null);
    while (!back() && Date.now() < healedAt + 10 * SILENCE_MS) {
      await ask();
      await delay(PACE_MS);
    }
    const waits = world.logs().filter(({ message, model, next }) => {
      return message === 'model failed' && model === SICK && next !== null;
    });
    return {
      served: seen.filter(({ state, text }) => state === 'complete' && (text === HEALTHY_TEXT || text !== '')).length,
      waited: waits.length,
      calls: sick().filter(({ t }) => t < healedAt).length,
      backAfterMs: (back()?.firstTokenAt ?? Infinity) - healedAt,
      slowestMs: Math.max(...seen.map(({ ms }) => ms)),
    };
  } finally {
    client.close();
    await world.stop();
    await upstream.close();
  }
};
