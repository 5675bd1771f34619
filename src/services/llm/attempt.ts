import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { FinishReason, LlmPart, LlmProvider, LlmRequest, ProviderError, StreamTimeouts } from './provider.ts';
import { providerError } from './providerErrors.ts';
import type { AttemptRecord } from './router.types.ts';
import { createScreen } from './screen.ts';

export interface AttemptTools {
  readonly provider: Pick<LlmProvider, 'stream'>;
  readonly metrics: Pick<Metrics, 'llmFirstToken' | 'llmResponse' | 'llmFailure' | 'llmAttempt'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What watches over the model learns from one call; each is told at most once. */
export interface AttemptWatcher {
  /** The call goes out. */
  begun(): void;
  /** The first token of any kind came. */
  alive(ms: number): void;
  /** The first visible text came. */
  visible(ms: number): void;
  succeeded(): void;
  failed(error: ProviderError, call: { readonly startedAt: number; readonly wasAlive: boolean }): void;
  /** It was ended from our side, possibly before it went out. */
  cancelled(): void;
}

/** One call of one model for one request. */
export interface Attempt {
  readonly model: string;
  readonly number: number;
  /** Whether the call went out. */
  isBegun(): boolean;
  /** The call itself; its time runs from here, and it begins with the first part that is asked for. */
  answer(signal: AbortSignal, timeouts: StreamTimeouts): AsyncIterable<LlmPart>;
  /**
   * What the next part of the answer lets out (screen.ts). A plain function and not one more generator around
   * the answer: every generator costs each token several turns of the microtask queue.
   * @throws ProviderError `invalid` when the model finished without any content, unless a filter or the longest length that the
   *   request allows stopped it: thoughts may use up all of that, and then it is no fault of the model
   */
  readonly pass: (part: LlmPart) => readonly LlmPart[];
  /** Whether visible text, or another part of an answer than thoughts, was passed on. */
  hasContent(): boolean;
  /** Whether another model can go on from here: there is text, and none of what cannot be gone on with: a tool call, a refusal, a picture, an open thought. */
  canBeContinued(): boolean;
  /** Writes down that it failed; nothing when it had ended before. */
  failed(error: ProviderError): void;
  /** Tells operators of the failure, with what happens next. */
  log(error: ProviderError, next: string | null): void;
  /** Writes down that it was ended from our side; nothing when it had ended before. */
  cancelled(reason: string): void;
}

export interface AttemptOptions {
  readonly request: LlmRequest;
  /** 1 for the first attempt of a request. */
  readonly number: number;
  readonly chosenBy: string;
  readonly watcher: AttemptWatcher;
  readonly onAttempt: ((record: AttemptRecord) => void) | undefined;
}

type Books = Pick<AttemptRecord, 'generationId' | 'provider' | 'usage'>;
type Ending = Pick<AttemptRecord, 'outcome' | 'reason'>;

/** Reasons to end that are no fault where there is no answer. */
const MAY_BE_EMPTY: ReadonlySet<FinishReason> = new Set(['content_filter', 'length']);

export const createAttempt = (tools: AttemptTools, options: AttemptOptions): Attempt => {
  const { metrics, clock, logger } = tools;
  const { request, number, watcher } = options;
  const { model } = request;
  let startedAt: number | null = null;
  let isEnded = false;
  let isSent = false;
  let isAnswered = false;
  let firstTokenMs: number | null = null;
  let books: Books = { generationId: null, provider: null, usage: null };
  const elapsedMs = (): number => (startedAt === null ? 0 : clock.now() - startedAt);
  const line = () => ({ model, attempt: number, durationMs: elapsedMs() });
  const record = (ending: Ending): AttemptRecord => ({
    number,
    model,
    ...books,
    isCut: isSent && !isAnswered,
    firstTokenMs,
    durationMs: elapsedMs(),
    chosenBy: options.chosenBy,
    ...ending,
  });

  /** Once, whatever comes together at the end; nothing of a call that was never made. */
  const end = (ending: Ending): boolean => {
    if (isEnded || startedAt === null) return false;
    isEnded = true;
    metrics.llmAttempt(model, ending.outcome);
    options.onAttempt?.(record(ending));
    return true;
  };

  const live = (): void => {
    if (firstTokenMs !== null) return;
    firstTokenMs = elapsedMs();
    watcher.alive(firstTokenMs);
  };

  const succeeded = (reason: FinishReason): void => {
    watcher.succeeded();
    metrics.llmResponse(model, elapsedMs());
    logger.info('model answered', { ...line(), firstTokenMs, finishReason: reason });
    end({ outcome: 'complete', reason });
  };

  const screen = createScreen({
    onAlive: live,
    onVisible: () => {
      metrics.llmFirstToken(model, elapsedMs());
      watcher.visible(elapsedMs());
    },
  });

  const finished = (part: Extract<LlmPart, { type: 'finish' }>): readonly LlmPart[] => {
    if (!screen.hasContent() && !MAY_BE_EMPTY.has(part.reason)) {
      throw providerError('invalid', { cause: new Error(`no text, finish reason ${part.reason}`) });
    }
    succeeded(part.reason);
    // Books of an answer that another model's could still replace were held back.
    const { usage } = books;
    return screen.hasContent() || usage === null ? [part] : [{ type: 'usage', usage }, part];
  };

  return {
    model,
    number,
    isBegun: () => startedAt !== null,
    answer: (signal, timeouts) => {
      startedAt = clock.now();
      watcher.begun();
      const course = { sent: () => (isSent = true), answered: () => (isAnswered = true) };
      return tools.provider.stream({ ...request, course }, signal, timeouts);
    },
    pass: (part) => {
      switch (part.type) {
        case 'origin':
          books = { ...books, generationId: part.generationId, provider: part.provider };
          return [part];
        case 'usage':
          books = { ...books, usage: part.usage };
          return screen.hasContent() ? [part] : [];
        case 'finish':
          return finished(part);
        default:
          return screen.pass(part);
      }
    },
    hasContent: () => screen.hasContent(),
    canBeContinued: () => screen.canBeContinued(),
    failed: (error) => {
      if (!end({ outcome: 'failed', reason: error.kind })) return;
      watcher.failed(error, { startedAt: startedAt ?? clock.now(), wasAlive: firstTokenMs !== null });
      metrics.llmFailure(model, error.kind);
    },
    log: (error, next) => {
      logger.warn('model failed', { ...line(), kind: error.kind, next, hasAnswered: screen.hasContent(), err: error });
    },
    cancelled: (reason) => {
      if (isEnded) return;
      watcher.cancelled();
      if (end({ outcome: 'cancelled', reason })) logger.debug('model cancelled', { ...line(), reason });
      isEnded = true;
    },
  };
};
