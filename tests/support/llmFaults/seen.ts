import type { TestUser } from '../world.ts';

/** What a client saw of one answer. Times are milliseconds from its request on. */
export interface Seen {
  /** `refused`: there was an error and no text; `failed`: an error after some; `cut`: an end that says nothing; `hung`: no end. */
  readonly state: 'complete' | 'failed' | 'refused' | 'cut' | 'hung';
  readonly text: string;
  /** The error's; null without one. */
  readonly code: string | null;
  readonly finish: string | null;
  /** How many final states it was told. */
  readonly ends: number;
  /** Until the first text; null: there was none. */
  readonly firstMs: number | null;
  readonly ms: number;
  readonly model: string | null;
  /** Tokens of prompt and answer; null: not told. */
  readonly tokens: number | null;
  /** At the native doors. */
  readonly messageId: string | null;
}

export interface Question {
  readonly model: string;
  readonly content: string;
  readonly extra?: Readonly<Record<string, unknown>>;
}

/** Longer than every promise; who is not served by then hangs. */
export const HANG_MS = 45_000;

export const stopwatch = () => {
  const startedAt = performance.now();
  let firstMs: number | null = null;
  return {
    first: (): void => void (firstMs ??= performance.now() - startedAt),
    times: () => ({ firstMs, ms: performance.now() - startedAt }),
  };
};
export type Watch = ReturnType<typeof stopwatch>;

export const NOTHING = { text: '', code: null, finish: null, model: null, tokens: null, messageId: null } as const;
export const hung = (watch: Watch): Seen => ({ ...NOTHING, state: 'hung', ends: 0, ...watch.times() });

export const post = (user: TestUser, path: string, body: object): Promise<Response> =>
  fetch(`${user.url}${path}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(HANG_MS),
  });

export const refusedBy = async (response: Response, watch: Watch): Promise<Seen> => {
  // Its shape is the door's: a problem, or OpenAI's error.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  const body = (await response.json()) as any;
  const code = String(body.error?.code ?? body.code);
  return { ...NOTHING, state: 'refused', code, ends: 1, ...watch.times(), messageId: body.messageId ?? null };
};
