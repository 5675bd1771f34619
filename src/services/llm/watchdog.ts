import { providerError } from './providerErrors.ts';
import type { ProviderError } from './provider.ts';

/** The longest waits for one attempt, all in milliseconds; the first three run from the start of the attempt. */
export interface LlmTimeouts {
  /** Until there is a connection, TLS included. Timed where connections are made (httpFetch.ts). */
  readonly connectMs: number;
  /** Until the headers of the answer. */
  readonly headersMs: number;
  readonly firstTokenMs: number;
  /** Between two tokens; keep-alive comments do not count as any. */
  readonly idleMs: number;
  readonly totalMs: number;
}

export type WatchdogTimeouts = Omit<LlmTimeouts, 'connectMs' | 'firstTokenMs'> & {
  /** Null: only the total bounds the wait for the first token. */
  readonly firstTokenMs: number | null;
};

export interface Watchdog {
  headersArrived(): void;
  /** Something that a reader would see, or would if it were shown: text that is not blank, reasoning, a tool call. */
  tokenArrived(): void;
  /** Nobody reads just now, so silence is not the model's fault; the next token sets it going again. */
  pause(): void;
  stop(): void;
}

/**
 * Times one attempt. The SDK's own timeout ends with the headers and nothing else bounds a body, so this does.
 * @param onTimeout called at most once, with an error that says which wait was too long
 */
export const createWatchdog = (timeouts: WatchdogTimeouts, onTimeout: (error: ProviderError) => void): Watchdog => {
  const late = (what: string, ms: number) => (): void => {
    stop();
    onTimeout(providerError('timeout', { cause: new Error(`no ${what} after ${String(ms)} ms`) }));
  };
  const { firstTokenMs } = timeouts;
  const headers = setTimeout(late('headers', timeouts.headersMs), timeouts.headersMs);
  const firstToken = firstTokenMs === null ? null : setTimeout(late('first token', firstTokenMs), firstTokenMs);
  const total = setTimeout(late('end', timeouts.totalMs), timeouts.totalMs);
  let idle: NodeJS.Timeout | null = null;

  const pause = (): void => {
    if (idle) clearTimeout(idle);
    idle = null;
  };
  const stop = (): void => {
    for (const timer of [headers, firstToken, total]) if (timer) clearTimeout(timer);
    pause();
  };

  return {
    headersArrived: () => clearTimeout(headers),
    tokenArrived: () => {
      if (idle) {
        idle.refresh();
        return;
      }
      if (firstToken) clearTimeout(firstToken);
      idle = setTimeout(late('further token', timeouts.idleMs), timeouts.idleMs);
    },
    pause,
    stop,
  };
};
