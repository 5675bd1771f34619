import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { FinishReason, LlmPart, LlmProvider, LlmRequest, ProviderError } from './provider.ts';
import { providerError } from './providerErrors.ts';

export interface AttemptTools {
  readonly provider: LlmProvider;
  readonly metrics: Pick<Metrics, 'llmFirstToken' | 'llmResponse' | 'llmFailure'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** One call of one model for one reply. */
export interface Attempt {
  /** The call itself; it begins with the first part that is asked for. */
  answer(): AsyncIterable<LlmPart>;
  /**
   * What the next part of the answer lets out. Blank text is held back until a visible character arrives, so that a model
   * that sends nothing but white space can still be replaced unseen. A plain function and not one more generator around
   * the answer: every generator costs each token several turns of the microtask queue.
   * @throws ProviderError `invalid` when the model finished without any visible text, unless a filter stopped it
   */
  pass(part: LlmPart): readonly LlmPart[];
  /** Whether visible text was passed on. */
  readonly hasText: boolean;
  /** Writes down that it failed, and what happens next. */
  failed(error: ProviderError, next: string | null): void;
  cancelled(): void;
}

export interface AttemptOptions {
  readonly request: LlmRequest;
  /** 1 for the first attempt of a reply. */
  readonly number: number;
  readonly signal: AbortSignal;
}

export const createAttempt = (tools: AttemptTools, { request, number, signal }: AttemptOptions): Attempt => {
  const { metrics, clock, logger } = tools;
  const { model } = request;
  const startedAt = clock.now();
  let hasText = false;
  let firstTokenMs: number | null = null;
  let blank = '';
  /** Books of an answer that another model's may replace are not the reply's. */
  let books: readonly LlmPart[] = [];
  const elapsedMs = (): number => clock.now() - startedAt;
  const line = () => ({ model, attempt: number, durationMs: elapsedMs() });

  const succeeded = (reason: FinishReason): void => {
    metrics.llmResponse(model, elapsedMs());
    logger.info('model answered', { ...line(), firstTokenMs, finishReason: reason });
  };

  const assertAnswered = (reason: FinishReason): void => {
    if (hasText || reason === 'content_filter') return;
    throw providerError('invalid', { cause: new Error(`no text, finish reason ${reason}`) });
  };

  const firstTexts = (text: string): readonly LlmPart[] => {
    blank += text;
    if (blank.trim() === '') return [];
    hasText = true;
    firstTokenMs = elapsedMs();
    metrics.llmFirstToken(model, firstTokenMs);
    return [{ type: 'delta', text: blank }];
  };

  const finished = (part: Extract<LlmPart, { type: 'finish' }>): readonly LlmPart[] => {
    assertAnswered(part.reason);
    succeeded(part.reason);
    return hasText ? [part] : [...books, part];
  };

  return {
    get hasText() {
      return hasText;
    },
    answer: () => tools.provider.stream(request, signal),
    pass: (part) => {
      if (part.type === 'finish') return finished(part);
      if (hasText) return [part];
      if (part.type === 'usage') {
        books = [part];
        return [];
      }
      return part.type === 'delta' ? firstTexts(part.text) : [part];
    },
    failed: (error, next) => {
      metrics.llmFailure(model, error.kind);
      logger.warn('model failed', { ...line(), kind: error.kind, next, hasText, err: error });
    },
    cancelled: () => logger.debug('model cancelled', line()),
  };
};
