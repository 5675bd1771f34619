import { providerError } from './providerErrors.ts';
import type { ProviderError } from './provider.ts';

/** The longest waits for one attempt, all in milliseconds; the first two run from the start of the attempt. */
export interface LlmTimeouts {
  /** Until the headers of the answer. */
  readonly connectMs: number;
  readonly firstTokenMs: number;
  /** Between two tokens; keep-alive comments do not count as any. */
  readonly idleMs: number;
  readonly totalMs: number;
}

export interface Watchdog {
  headersArrived(): void;
  tokenArrived(): void;
  /** Nobody reads just now, so silence is not the model's fault; the next token sets it going again. */
  pause(): void;
  stop(): void;
}

/**
 * Times one attempt. The SDK's own timeout ends with the headers and nothing else bounds a body, so this does.
 * @param onTimeout called at most once, with an error that says which wait was too long
 */
export const createWatchdog = (timeouts: LlmTimeouts, onTimeout: (error: ProviderError) => void): Watchdog => {
  const late = (what: string, ms: number) => (): void => {
    stop();
    onTimeout(providerError('timeout', { cause: new Error(`no ${what} after ${String(ms)} ms`) }));
  };
  const headers = setTimeout(late('headers', timeouts.connectMs), timeouts.connectMs);
  const firstToken = setTimeout(late('first token', timeouts.firstTokenMs), timeouts.firstTokenMs);
  const total = setTimeout(late('end', timeouts.totalMs), timeouts.totalMs);
  let idle: NodeJS.Timeout | null = null;

  const pause = (): void => {
    if (idle) clearTimeout(idle);
    idle = null;
  };
  const stop = (): void => {
    for (const timer of [headers, firstToken, total]) clearTimeout(timer);
    pause();
  };

  return {
    headersArrived: () => clearTimeout(headers),
    tokenArrived: () => {
      if (idle) {
        idle.refresh();
        return;
      }
      clearTimeout(firstToken);
      idle = setTimeout(late('further token', timeouts.idleMs), timeouts.idleMs);
    },
    pause,
    stop,
  };
};
