import { setImmediate as nextTurn } from 'node:timers/promises';
import { Writable } from 'node:stream';
import { createLogger } from '../../src/lib/logger.ts';
import { createMetrics } from '../../src/lib/metrics.ts';
import { ProviderError, type LlmPart, type LlmProvider } from '../../src/services/llm/provider.ts';
import { createRouter, type RouterOptions } from '../../src/services/llm/router.ts';
import type { AttemptRecord, LlmRouter, RoutedRequest } from '../../src/services/llm/router.types.ts';

/** How a model behaves at a moment of the virtual time. */
export type Behaviour =
  | { readonly kind: 'answers'; readonly afterMs: number }
  /** Says nothing until its caller's patience ends. */
  | { readonly kind: 'silent' }
  | { readonly kind: 'fails'; readonly afterMs: number }
  /** Begins an answer and breaks off. */
  | { readonly kind: 'breaks'; readonly afterMs: number };

interface VirtualCall {
  readonly model: string;
  readonly at: number;
  /** What the whole answer may take; null: what is configured. */
  readonly totalMs: number | null;
}

interface Served {
  readonly at: number;
  /** Null: it failed. */
  readonly model: string | null;
  readonly waitedMs: number;
}

/** What a request differs in. */
type SendOptions = Partial<Pick<RoutedRequest, 'isWhole'>> & { readonly signal?: AbortSignal };

/** The router with a provider that needs no time but the test's own, so that minutes pass at once and always alike. */
export interface VirtualLlm {
  readonly router: LlmRouter;
  readonly calls: readonly VirtualCall[];
  readonly served: readonly Served[];
  /** What each of them failed with; null: it did not. */
  readonly errors: readonly unknown[];
  readonly attempts: readonly AttemptRecord[];
  readonly now: () => number;
  /** Sends a request; how it ends is in `served`. */
  send(model?: string, options?: SendOptions): void;
  /** Lets virtual time pass. */
  pass(ms: number): Promise<void>;
}

/** Milliseconds of virtual time between two looks at what is due. */
const STEP_MS = 50;
const never = new AbortController().signal;
/** Turns of the event loop after which nothing moves without time. */
const SETTLING_TURNS = 8;

export const createVirtualLlm = (
  behave: (model: string, now: number) => Behaviour,
  options: Partial<RouterOptions> & Pick<RouterOptions, 'models'>,
): VirtualLlm => {
  let now = 1_000_000;
  const due = new Set<{ readonly at: number; readonly wake: () => void }>();
  const calls: VirtualCall[] = [];
  const served: Served[] = [];
  const errors: unknown[] = [];
  const attempts: AttemptRecord[] = [];

  /** Waits in virtual time. @throws the signal's reason after an abort */
  const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const entry = { at: now + ms, wake: resolve };
      due.add(entry);
      signal.addEventListener('abort', () => {
        due.delete(entry);
        reject(signal.reason as Error);
      });
    });

  const stream: LlmProvider['stream'] = async function* (request, signal, timeouts): AsyncGenerator<LlmPart> {
    const { model } = request;
    const patienceMs = timeouts?.firstTokenMs ?? 10_000;
    const behaviour = behave(model, now);
    calls.push({ model, at: now, totalMs: timeouts?.totalMs ?? null });
    if (behaviour.kind === 'breaks') {
      yield { type: 'delta', text: 'I am broken' };
      await sleep(behaviour.afterMs, signal);
      throw new ProviderError('invalid', 'cut');
    }
    if (behaviour.kind === 'silent' || behaviour.afterMs > patienceMs) {
      await sleep(patienceMs, signal);
      throw new ProviderError('timeout', 'no first token');
    }
    await sleep(behaviour.afterMs, signal);
    if (behaviour.kind === 'fails') throw new ProviderError('unavailable', 'down');
    yield { type: 'delta', text: `I am ${model}` };
    signal.throwIfAborted();
    yield { type: 'finish', reason: 'stop' };
  };

  const router = createRouter({
    provider: { stream },
    affinity: 'message',
    temperature: 1,
    maxTokens: 100,
    isSimulated: false,
    metrics: createMetrics(),
    logger: createLogger({
      level: 'error',
      service: 'test',
      format: 'json',
      stream: new Writable({ write: (_chunk, _encoding, done) => done() }),
    }),
    clock: { now: () => now },
    sleep,
    random: () => 0.5,
    ...options,
  });

  const ask = async (model: string, { signal = never, ...more }: SendOptions): Promise<void> => {
    const at = now;
    let answeredBy: string | null = null;
    let waitedMs: number | null = null;
    let failure: unknown = null;
    const request = {
      model,
      chatId: 'c',
      messages: [{ role: 'user', content: 'hi' }],
      onAttempt: (record: AttemptRecord) => void attempts.push(record),
      ...more,
    } as const;
    try {
      for await (const part of router.stream(request, signal)) {
        if (part.type !== 'delta') continue;
        waitedMs ??= now - at;
        answeredBy = part.text.slice('I am '.length);
      }
    } catch (error) {
      answeredBy = null;
      failure = error;
    }
    served.push({ at, model: answeredBy, waitedMs: waitedMs ?? now - at });
    errors.push(failure);
  };

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < SETTLING_TURNS; turn += 1) await nextTurn();
  };

  return {
    router,
    calls,
    served,
    errors,
    attempts,
    now: () => now,
    send: (model = 'auto', options = {}) => void ask(model, options),
    pass: async (ms) => {
      const until = now + ms;
      await settle();
      while (now < until) {
        now = Math.min(now + STEP_MS, until);
        for (const entry of [...due]) {
          if (entry.at > now) continue;
          due.delete(entry);
          entry.wake();
        }
        await settle();
      }
    },
  };
};
