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
  /**
   * The model's answer. Blank text is held back until a visible character arrives, so that a model that sends nothing
   * but white space can still be replaced unseen.
   * @throws ProviderError `invalid` also when the model finished without any visible text, unless a filter stopped it
   */
  parts(signal: AbortSignal): AsyncGenerator<LlmPart>;
  /** Whether visible text was passed on. */
  readonly hasText: boolean;
  /** Writes down that it failed, and what happens next. */
  failed(error: ProviderError, next: string | null): void;
  cancelled(): void;
}

/** @param number 1 for the first attempt of a reply */
export const createAttempt = (tools: AttemptTools, request: LlmRequest, number: number): Attempt => {
  const { metrics, clock, logger } = tools;
  const { model } = request;
  const startedAt = clock.now();
  let hasText = false;
  let firstTokenMs: number | null = null;
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

  const firstText = (): void => {
    hasText = true;
    firstTokenMs = elapsedMs();
    metrics.llmFirstToken(model, firstTokenMs);
  };

  return {
    get hasText() {
      return hasText;
    },
    parts: async function* (signal) {
      let blank = '';
      // Books of an answer that another model's may replace are not the reply's.
      let books: LlmPart[] = [];
      for await (const part of tools.provider.stream(request, signal)) {
        if (part.type === 'delta' && !hasText) {
          blank += part.text;
          if (blank.trim() === '') continue;
          firstText();
          yield { type: 'delta', text: blank };
        } else if (part.type === 'usage' && !hasText) {
          books = [part];
        } else if (part.type === 'finish') {
          assertAnswered(part.reason);
          if (!hasText) yield* books;
          succeeded(part.reason);
          yield part;
        } else {
          yield part;
        }
      }
    },
    failed: (error, next) => {
      metrics.llmFailure(model, error.kind);
      logger.warn('model failed', { ...line(), kind: error.kind, next, hasText, err: error });
    },
    cancelled: () => logger.debug('model cancelled', line()),
  };
};
