import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { sendJson, type Handler } from './api.ts';
import { attemptView } from './attemptLog.ts';
import { listModes } from './modes/index.ts';
import { readJsonBody } from './request.ts';
import { SimulatorError, type SimulatorControls } from './simulator.types.ts';

const share = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.int().min(0);

const modelSettings = z
  .strictObject({
    name: z.string(),
    promptMicroUsd: z.number().min(0),
    completionMicroUsd: z.number().min(0),
    contextLength: z.int().min(1),
    isContextEnforced: z.boolean(),
    maxCompletionTokens: z.int().min(1).nullable(),
    provider: z.string(),
    billsOnlySent: z.boolean(),
  })
  .exactPartial();

const latency = z
  .strictObject({
    ttftP50Ms: z.number().min(0),
    ttftP95Ms: z.number().min(0),
    tokensPerSecond: positive,
    jitter: share,
    tokensPerChunk: z.int().min(1).max(20),
    spikeRate: share,
    spikeFactor: positive,
  })
  .exactPartial();

const outage = z.strictObject({ model: z.string(), forMs: z.number().min(0), mode: z.string().exactOptional() });

const configBody = z
  .strictObject({
    seed: z.int(),
    mix: z.record(z.string(), share),
    modes: z.record(z.string(), z.string()),
    models: z.record(z.string(), modelSettings),
    freePool: z.strictObject({ perMinute: count, perDay: count }),
    creditMicroUsd: count.nullable(),
    latency: latency.nullable(),
    timings: z.enum(['full', 'fast']),
    splitAt: count.nullable(),
    scale: positive,
    generationDelayMs: z.number().min(0),
    outages: z.array(outage),
    advanceMs: z.number(),
  })
  .exactPartial();

const scriptBody = z.strictObject({ model: z.string(), modes: z.array(z.union([z.string(), z.number()])) });

const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && /^(::ffff:)?127\.|^::1$/.test(address);

/** Another machine, and a page that a browser on this one has open, are both told that there is nothing. */
const mayControl = ({ socket, headers }: IncomingMessage): boolean =>
  isLoopback(socket.remoteAddress) &&
  headers.origin === undefined &&
  /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(headers.host ?? '');

type Action = (body: unknown, query: URLSearchParams) => unknown;

const done = { ok: true } as const;

const createActions = (simulator: SimulatorControls): Readonly<Record<string, Action>> => ({
  'POST /reset': () => {
    simulator.reset();
    return done;
  },
  'POST /config': (body) => {
    const { outages = [], advanceMs = 0, ...change } = configBody.parse(body);
    simulator.config(change);
    for (const each of outages) simulator.outage(each);
    simulator.advance(advanceMs);
    return done;
  },
  'POST /script': (body) => {
    const { model, modes } = scriptBody.parse(body);
    simulator.script(model, modes);
    return done;
  },
  'GET /log': (_body, query) => {
    const model = query.get('model');
    const attempts = simulator.log.filter((attempt) => model === null || attempt.model === model);
    return { attempts: attempts.map(attemptView) };
  },
  'GET /books': () => simulator.books(),
  'GET /modes': () => ({ modes: listModes() }),
});

const problemOf = (error: unknown): string | null => {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  return error instanceof SimulatorError ? error.message : null;
};

/** The other side of the table: what a test in another process, or in another language, does with the simulator. */
export const createControl = (simulator: SimulatorControls): Handler => {
  const actions = createActions(simulator);
  return async ({ pathname, searchParams }, req, res) => {
    const action = actions[`${String(req.method)} ${pathname}`];
    if (!mayControl(req) || !action) {
      sendJson(res, 404, { error: { code: 404, message: 'Not found' } });
      return;
    }
    const body = req.method === 'POST' ? await readJsonBody(req) : undefined;
    try {
      sendJson(res, 200, action(body, searchParams));
    } catch (error) {
      const message = problemOf(error);
      if (message === null) throw error;
      sendJson(res, 400, { error: { code: 400, message } });
    }
  };
};
