import type { Clock } from '../../../lib/clock.ts';
import { FREE_LIMITS } from './account.ts';
import { defaultSettings, type ModelSettings } from './catalogue.ts';
import { isMode, modeTextOf } from './modes/index.ts';
import { seededRandom } from './random.ts';
import { SimulatorError, type Outage, type SimulatorConfig } from './simulator.types.ts';

const DEFAULTS: SimulatorConfig = {
  seed: 1,
  mix: {},
  modes: {},
  models: {},
  freePool: FREE_LIMITS,
  creditMicroUsd: null,
  latency: null,
  timings: 'full',
  splitAt: null,
  scale: 1,
  generationDelayMs: 0,
};

/** @throws SimulatorError naming those that do not exist */
export const assertModes = (modes: readonly string[]): void => {
  const unknown = modes.filter((mode) => !isMode(mode));
  if (unknown.length > 0) throw new SimulatorError(`There is no mode ${unknown.join(', ')}`);
};

/** `p429` is the share of mode `429`. */
const mixedMode = (key: string): string => key.replace(/^p(?=.)/, '');

/** What is in force now: the configuration, the outages and the clock. */
export interface Settings {
  readonly current: SimulatorConfig;
  now(): number;
  advance(ms: number): void;
  change(change: Partial<SimulatorConfig>): void;
  addOutage(outage: Outage): void;
  ofModel(model: string): ModelSettings;
  /** The mode of a call that no header and no script has chosen. @param call 1 for the model's first */
  modeOf(model: string, call: number): string;
  reset(): void;
}

export const createSettings = (initial: Partial<SimulatorConfig>, clock: Clock): Settings => {
  const start = { ...DEFAULTS, ...initial };
  let current = start;
  let advancedMs = 0;
  const outages = new Map<string, { readonly mode: string; readonly until: number }>();

  const now = (): number => clock.now() + advancedMs;
  const check = (change: Partial<SimulatorConfig>): void => {
    assertModes([...Object.values(change.modes ?? {}), ...Object.keys(change.mix ?? {}).map(mixedMode)]);
  };
  const drawn = (model: string, call: number): string | null => {
    let draw = seededRandom(current.seed, `mix ${model} ${String(call)}`)();
    for (const [key, share] of Object.entries(current.mix)) {
      if (draw < share) return mixedMode(key);
      draw -= share;
    }
    return null;
  };
  const outageOf = (model: string): string | null => {
    const outage = outages.get(model) ?? outages.get('*');
    return outage !== undefined && now() < outage.until ? outage.mode : null;
  };
  check(start);

  return {
    get current() {
      return current;
    },
    now,
    advance: (ms) => void (advancedMs += ms),
    change: (change) => {
      check(change);
      current = { ...current, ...change };
    },
    addOutage: ({ model, forMs, mode = '503' }) => {
      assertModes([mode]);
      outages.set(model, { mode, until: now() + forMs * current.scale });
    },
    ofModel: (model) => ({ ...defaultSettings(model), ...current.models[model] }),
    modeOf: (model, call) =>
      outageOf(model) ?? drawn(model, call) ?? current.modes[model] ?? current.modes['*'] ?? modeTextOf(model),
    reset: () => {
      current = start;
      advancedMs = 0;
      outages.clear();
    },
  };
};
