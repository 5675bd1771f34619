import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Logger } from './logger.ts';

/** The steps of a message's life at which a test can make this process fail (tests/faults, docs/reliability.md). */
export const FAILPOINTS = [
  'appendTurn.before',
  'appendTurn.during',
  'appendTurn.after',
  'upstream.before',
  'startReply.before',
  'startReply.during',
  'startReply.after',
  'upstream.firstToken',
  'upstream.midStream',
  'appendLog.before',
  'appendLog.during',
  'appendLog.after',
  'settleReply.before',
  'settleReply.during',
  'settleReply.after',
] as const;
export type FailpointName = (typeof FAILPOINTS)[number];

const ACTIONS = ['kill', 'throw', 'delay', 'hang'] as const;

export interface Failpoint {
  readonly name: FailpointName;
  readonly action: (typeof ACTIONS)[number];
  /** Milliseconds before the action, fractions allowed: how far a write gets before its process dies. */
  readonly delayMs: number;
  /** 1: the first time that the step is reached. It acts once. */
  readonly atHit: number;
}

const FORM = /^([\w.]+)=([a-z]+)(?::(\d+(?:\.\d+)?))?(?:@(\d+))?$/;

/** Reads `name=action[:delayMs][@hit]`, comma-separated. @throws Error that says what is wrong with it */
export const parseFailpoints = (text: string): readonly Failpoint[] =>
  text.split(',').map((item) => {
    const [, name, action, delayMs = '0', atHit = '1'] = FORM.exec(item.trim()) ?? [];
    const known = FAILPOINTS.find((candidate) => candidate === name);
    const knownAction = ACTIONS.find((candidate) => candidate === action);
    if (!known || !knownAction) throw new Error(`must be name=action[:ms][@hit], and ${item} is not`);
    return { name: known, action: knownAction, delayMs: Number(delayMs), atHit: Number(atHit) };
  });

/** Puts failpoints around what a message passes through. Without any, everything is handed back as it came. */
export interface Failpoints {
  /** The same object whose `methods` have the points `<method>.before`, `.during` and `.after`. */
  around<T extends object>(target: T, methods: readonly (keyof T & string)[]): T;
  /** The same router whose stream has the points `upstream.*`. */
  aroundStream<T extends Streaming>(router: T): T;
}

const NONE: Failpoints = { around: (target) => target, aroundStream: (router) => router };

interface Part {
  readonly type: string;
}
interface Streaming {
  stream(...args: never[]): AsyncIterable<Part>;
}
type Method = (...args: unknown[]) => Promise<unknown>;

/** Blocks this thread, and no other: a timer is too coarse for the time that a write takes. */
const block = (ms: number): void => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

export const createFailpoints = (armed: readonly Failpoint[], logger: Logger): Failpoints => {
  if (armed.length === 0) return NONE;
  const hits = new Map<string, number>();

  const hit = async (name: string): Promise<void> => {
    const count = (hits.get(name) ?? 0) + 1;
    hits.set(name, count);
    const point = armed.find((candidate) => candidate.name === name && candidate.atHit === count);
    if (!point) return;
    logger.warn('failpoint', { name, action: point.action, hit: count });
    block(point.delayMs);
    if (point.action === 'kill') process.kill(process.pid, 'SIGKILL');
    if (point.action === 'throw') throw new Error(`failpoint ${name}`);
    if (point.action === 'hang') await new Promise(() => undefined);
  };

  const guarded =
    (name: string, method: Method): Method =>
    async (...args) => {
      await hit(`${name}.before`);
      const call = method(...args);
      // What was called has left this thread by the next turn of the loop, and is not done yet.
      call.catch(() => undefined);
      await nextTurn();
      await hit(`${name}.during`);
      const value = await call;
      await hit(`${name}.after`);
      return value;
    };

  async function* watched(parts: AsyncIterable<Part>): AsyncGenerator<Part> {
    let texts = 0;
    await hit('upstream.before');
    for await (const part of parts) {
      if (part.type === 'delta') await hit((texts += 1) === 1 ? 'upstream.firstToken' : 'upstream.midStream');
      yield part;
    }
  }

  return {
    around: (target, methods) => {
      const wrapped = methods.map((name) => [name, guarded(name, target[name] as Method)]);
      return { ...target, ...(Object.fromEntries(wrapped) as object) };
    },
    aroundStream: (router) => ({ ...router, stream: (...args: never[]) => watched(router.stream(...args)) }),
  };
};
