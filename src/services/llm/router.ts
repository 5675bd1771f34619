import { createAttempt, type Attempt, type AttemptTools } from './attempt.ts';
import { nextModel } from './failover.ts';
import { ProviderError } from './provider.ts';
import { providerError } from './providerErrors.ts';
import { createRotation, pickForChat, type Candidate } from './rotation.ts';
import type { LlmRouter, RoutedPart, RoutedRequest } from './router.types.ts';

export interface RouterOptions extends AttemptTools {
  /** At least one. */
  readonly models: readonly Candidate[];
  readonly affinity: 'message' | 'chat';
  readonly temperature: number;
  /** The longest answer, in tokens. */
  readonly maxTokens: number;
  readonly isSimulated: boolean;
}

const AUTO = 'auto';

/** How often each model was asked and failed, since the start. */
const createCounts = (models: readonly Candidate[]) => {
  const counts = new Map(models.map(({ slug }) => [slug, { requests: 0, failures: 0 }]));
  const add = (slug: string, key: 'requests' | 'failures'): void => {
    const count = counts.get(slug);
    if (count) count[key] += 1;
  };
  return { add, of: (slug: string) => counts.get(slug) ?? { requests: 0, failures: 0 } };
};

/** Throws on what is no failure of the model: an abort, or a defect of ours. */
function assertFailed(error: unknown, attempt: Attempt, signal: AbortSignal): asserts error is ProviderError {
  if (signal.aborted) attempt.cancelled();
  signal.throwIfAborted();
  if (!(error instanceof ProviderError)) throw error;
}

/**
 * Spreads messages over the models in rotation, and hides the failure of one from the client while nothing of its answer
 * was shown. Which model is next is rotation.ts's to say, whether to try it failover.ts's; here they only meet.
 */
export const createRouter = (options: RouterOptions): LlmRouter => {
  const { models, affinity, temperature, maxTokens } = options;
  const tools: AttemptTools = { ...options, logger: options.logger.child('llm') };
  const rotation = createRotation();
  const counts = createCounts(models);
  const slugs = new Set(models.map(({ slug }) => slug));

  const take = (request: RoutedRequest, tried: readonly string[]): string | null => {
    const candidates = models.filter(({ slug }) => !tried.includes(slug));
    return affinity === 'chat' ? pickForChat(request.chatId, candidates) : rotation.take(candidates);
  };

  const first = (request: RoutedRequest): string => {
    const model = request.model === AUTO ? take(request, []) : request.model;
    if (model === null || !slugs.has(model)) throw providerError('not_found');
    return model;
  };

  const stream = async function* (request: RoutedRequest, signal: AbortSignal): AsyncGenerator<RoutedPart> {
    signal.throwIfAborted();
    const isAuto = request.model === AUTO;
    let model = first(request);
    let reason: string = isAuto ? affinity : 'picked';
    let firstError: ProviderError | null = null;
    for (let number = 1; ; number += 1) {
      counts.add(model, 'requests');
      const llmRequest = { model, messages: request.messages, temperature, maxTokens };
      const attempt = createAttempt(tools, { request: llmRequest, number, signal });
      try {
        yield { type: 'model', model, reason };
        for await (const part of attempt.answer()) for (const passed of attempt.pass(part)) yield passed;
        return;
      } catch (error) {
        assertFailed(error, attempt, signal);
        counts.add(model, 'failures');
        const failed = { error, attempt: number, model, hasText: attempt.hasText };
        const next = nextModel(failed, () => (isAuto ? take(request, [model]) : null));
        attempt.failed(error, next);
        // What went wrong first is what there is to tell; an answer that broke off tells its own.
        if (next === null) throw attempt.hasText ? error : (firstError ?? error);
        firstError ??= error;
        model = next;
        reason = error.kind;
      }
    }
  };

  return {
    stream,
    hasModel: (model) => model === AUTO || slugs.has(model),
    models: () => {
      const next = affinity === 'chat' ? null : rotation.peek(models);
      return models.map(({ slug, weight }) => ({ id: slug, weight, ...counts.of(slug), next: slug === next }));
    },
    isSimulated: options.isSimulated,
  };
};
