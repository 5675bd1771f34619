import { AppError } from '../../lib/errors.ts';
import type { LlmRouter, RoutedPart } from '../llm/router.types.ts';
import { createAnswerUsage, type OpenCompletion, type UsageService } from '../usage/index.ts';
import type { CompletionService, CompletionSink } from './completions.types.ts';
import { promptUnitsOf } from './promptUnits.ts';

export type { CompletionRequest, CompletionService, CompletionSink } from './completions.types.ts';

/** UTF-16 units that an answer may have; a model that does not stop is stopped there. */
const MAX_ANSWER_UNITS = 4 * 1024 * 1024;
/** What a client is told to wait when the server goes down: another node, or the same one, is there about then. */
const RESTART_MS = 1000;

export interface CompletionsOptions {
  readonly router: Pick<LlmRouter, 'stream' | 'hasModel'>;
  readonly usage: Pick<UsageService, 'openCompletion'>;
  /** The longest answer in tokens, whatever the client wants. */
  readonly maxOutputTokens: number;
  readonly isClosing: () => boolean;
}

const shuttingDown = (): AppError => new AppError('SHUTTING_DOWN', { retryAfterMs: RESTART_MS });

/** What a part adds to the text of an answer; tool calls are bounded by the tokens that they are made of. */
const textOf = (part: RoutedPart): string => ('text' in part ? part.text : '');

/**
 * Counts the parts of an answer as they pass, and gives the sink its `usage` once, right before the end.
 * @throws AppError `LLM_FAILED` when there is no end of them
 */
const createTally = (booked: Pick<OpenCompletion, 'answered'>, promptUnits: number, sink: CompletionSink) => {
  const used = createAnswerUsage(promptUnits);
  let units = 0;
  return (part: RoutedPart): Promise<void> | undefined => {
    used.add(part);
    if (part.type === 'usage') return undefined;
    if (part.type === 'restart') units = 0;
    const text = textOf(part);
    units += text.length;
    if (text !== '') booked.answered(text);
    if (units > MAX_ANSWER_UNITS) throw new AppError('LLM_FAILED', { detail: 'The answer had no end' });
    const usage = part.type === 'finish' ? used.sum() : null;
    if (usage === null) return sink.take(part);
    const told = sink.take({ type: 'usage', usage });
    return told ? told.then(() => sink.take(part)) : sink.take(part);
  };
};

/** Everything that runs, so that the end of the server can wait for it. */
const createRunning = () => {
  const running = new Set<AbortController>();
  let onIdle: (() => void) | null = null;
  return {
    enter: (): AbortController => {
      const stop = new AbortController();
      running.add(stop);
      return stop;
    },
    leave: (stop: AbortController): void => {
      running.delete(stop);
      if (running.size === 0) onIdle?.();
    },
    close: async (graceMs: number): Promise<void> => {
      if (running.size === 0) return;
      const idle = new Promise<void>((resolve) => {
        onIdle = resolve;
      });
      const late = setTimeout(() => {
        for (const stop of running) stop.abort(shuttingDown());
      }, graceMs);
      await idle;
      clearTimeout(late);
    },
  };
};

export const createCompletions = (options: CompletionsOptions): CompletionService => {
  const { router, usage, maxOutputTokens } = options;
  const running = createRunning();

  const run: CompletionService['run'] = async (actor, request, sink) => {
    if (options.isClosing()) throw shuttingDown();
    if (!router.hasModel(request.model)) throw new AppError('MODEL_NOT_AVAILABLE');
    const maxTokens = Math.min(request.maxTokens ?? maxOutputTokens, maxOutputTokens);
    const stop = running.enter();
    const { signal } = stop;
    const onUnwanted = (): void => stop.abort(sink.signal.reason);
    sink.signal.addEventListener('abort', onUnwanted);
    if (sink.signal.aborted) onUnwanted();
    try {
      const promptUnits = promptUnitsOf(request.messages);
      const booked = await usage.openCompletion(actor, { promptUnits, maxTokens });
      try {
        const { model, messages, temperature, extra, conversation, continues } = request;
        const wish = continues === undefined ? {} : { continues };
        const asked = { model, chatId: conversation, messages, temperature, maxTokens, extra, ...wish };
        const routed = { ...asked, isWhole: sink.isWhole ?? false, isGathered: true };
        const give = createTally(booked, promptUnits, sink);
        for await (const part of router.stream({ ...routed, onAttempt: booked.onAttempt }, signal)) {
          const full = give(part);
          if (full) await full;
        }
      } finally {
        booked.close();
      }
    } finally {
      sink.signal.removeEventListener('abort', onUnwanted);
      running.leave(stop);
    }
  };

  return { run, close: (graceMs) => running.close(graceMs) };
};
