import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { systemClock } from '../../../lib/clock.ts';
import { createAccount } from './account.ts';
import { createApi, sendJson, type Handler } from './api.ts';
import { createAttemptLog } from './attemptLog.ts';
import { createControl } from './control.ts';
import { createLedger } from './ledger.ts';
import { openListener } from './listener.ts';
import { createModelStates } from './modelStates.ts';
import { createPlayer } from './play.ts';
import { assertModes, createSettings } from './settings.ts';
import type { Simulator, SimulatorControls, SimulatorOptions } from './simulator.types.ts';

export type { SimulatedAttempt } from './attemptLog.ts';
export type { Books, Generation, ModelBooks } from './books.ts';
export { listModes } from './modes/index.ts';
export type { Simulator, SimulatorConfig, SimulatorOptions } from './simulator.types.ts';

/** What `/models` offers and the product rotates over without a key. */
export const SIMULATOR_MODELS = ['simulator/parley-1', 'simulator/parley-2'] as const;

/** Who answers which paths, and what of the path is theirs. */
const createRouting = (api: Handler, control: Handler | null) => async (req: IncomingMessage, res: ServerResponse) => {
  const url = new URL(req.url ?? '/', 'http://simulator');
  const [, prefix = '', rest = ''] = /^(\/__sim|(?:\/api)?\/v1)?(.*)$/.exec(url.pathname) ?? [];
  const handle = prefix === '/__sim' ? control : api;
  if (prefix === '' && rest === '/health') {
    sendJson(res, 200, { status: 'ok' });
  } else if (prefix === '' || handle === null) {
    sendJson(res, 404, { error: { code: 404, message: 'Not found' } });
  } else {
    url.pathname = rest;
    await handle(url, req, res);
  }
};

/**
 * A real HTTP server that speaks OpenRouter's interface, in this process. The product runs on it when it has no key, and
 * tests run against its faults: `sim/<mode>[:argument]` as a model's name chooses how it behaves (docs/simulator.md).
 * @throws what listening throws, for example EADDRINUSE; SimulatorError for a mode that does not exist
 */
export const createSimulator = async (options: SimulatorOptions): Promise<Simulator> => {
  const apiKey = options.apiKey ?? `sim-${randomBytes(16).toString('hex')}`;
  const models = options.models ?? SIMULATOR_MODELS;
  const settings = createSettings(options.config ?? {}, options.clock ?? systemClock);
  const states = createModelStates();
  const ledger = createLedger(states);
  const account = createAccount({ now: () => settings.now(), limits: () => settings.current.freePool });
  const attempts = createAttemptLog(options.maxLogged ?? 1000, () => settings.now());
  const closePort = (ms: number): void => listener.closePort(ms);
  const { tokenDelayMs } = options;
  const player = createPlayer({ settings, states, ledger, account, attempts, tokenDelayMs, closePort });

  const controls: SimulatorControls = {
    log: attempts.all,
    nextAttempt: () => attempts.next(),
    script: (model, modes) => {
      const texts = modes.map(String);
      assertModes(texts);
      states.of(model).script = texts;
    },
    config: (change) => settings.change(change),
    outage: (outage) => settings.addOutage(outage),
    advance: (ms) => settings.advance(ms),
    books: () => ledger.books(),
    generation: (id) => ledger.find(id),
    idle: () => player.idle(),
    reset: () => {
      for (const part of [attempts, states, ledger, account]) part.clear();
      settings.reset();
    },
  };
  const api = createApi({ apiKey, models, settings, ledger, account, player });
  const route = createRouting(api, options.hasControl === true ? createControl(controls) : null);
  const listener = await openListener(
    (req, res) => {
      // A client that leaves while it is read or answered is the client's business.
      route(req, res).catch(() => res.destroy());
    },
    { host: options.host ?? '127.0.0.1', port: options.port ?? 0 },
  );

  return {
    ...controls,
    baseUrl: `${listener.url}/api/v1`,
    apiKey,
    models,
    close: () => listener.close(),
  };
};
