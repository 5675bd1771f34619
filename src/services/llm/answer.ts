import type { Usage } from '../../models/entities.ts';
import { readChunk, readOrigin, type Chunk } from './chunk.ts';
import { fieldOf, parseJson } from './jsonValue.ts';
import type { FinishReason, LlmPart } from './provider.ts';
import { providerError } from './providerErrors.ts';
import type { SseEvent } from './sseParser.ts';

/** One garbage frame in a long answer is survivable; more mean that the answer cannot be trusted. */
const MAX_MALFORMED = 3;

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

const isVisible = (text: string): boolean => /\S/.test(text);

interface AnswerOptions {
  readonly emit: (part: LlmPart) => void;
  /** A token came; blank text is none. */
  readonly onToken: () => void;
  /** The endpoint's own id of the call as the response's headers have it; null: they have none. */
  readonly generationId: string | null;
  /** What an error object inside the stream means. */
  readonly toError: (error: unknown) => Error;
  /** Told of the data of an event that says this text, perhaps among other things. */
  readonly onPlainText?: (data: string, text: string) => void;
}

/**
 * One model's answer as its events arrive. Parts come in this order: `origin` if anything is known of it, text,
 * reasoning and tool calls as they arrive, then `usage` if any came (the last one counts: some endpoints repeat it),
 * then `finish`.
 */
export interface Answer {
  /** @throws ProviderError when the event carries an error, or too many were malformed */
  accept(event: SseEvent): void;
  /** The same for events that say this text together, and nothing else. */
  acceptText(text: string): void;
  /** Whether `[DONE]` was seen: nothing after it belongs to the answer. */
  isDone(): boolean;
  finishReason(): FinishReason | null;
  /** The answer is over. @throws ProviderError `invalid` when the model did not say that it had finished */
  end(): void;
  /** The answer broke off: who answered and what the books know is kept. */
  breakOff(): void;
}

export const createAnswer = ({ emit, onToken, toError, onPlainText, ...known }: AnswerOptions): Answer => {
  let origin: ReturnType<typeof readOrigin> | null = { generationId: known.generationId, provider: null };
  let isDone = false;
  let finishReason: FinishReason | null = null;
  let usage: Usage | null = null;
  const heldSurrogates = { delta: '', refusal: '' };
  let events = 0;
  let malformed = 0;

  /** A pair split over two chunks is joined again: offsets never lie inside one, and half of one cannot be sent. */
  const emitText = (type: 'delta' | 'refusal', chunkText: string): void => {
    let text = heldSurrogates[type] + chunkText;
    heldSurrogates[type] = '';
    if (isHighSurrogate(text.charCodeAt(text.length - 1))) {
      heldSurrogates[type] = text.slice(-1);
      text = text.slice(0, -1);
    }
    if (text === '') return;
    emit({ type, text: text.isWellFormed() ? text : text.toWellFormed() });
    if (isVisible(text)) onToken();
  };

  const learnOrigin = (json: unknown): void => {
    if (origin === null) return;
    const told = readOrigin(json);
    origin = { generationId: origin.generationId ?? told.generationId, provider: origin.provider ?? told.provider };
  };
  /** Once: later chunks repeat it, and cost nothing for it. */
  const tellOrigin = (): void => {
    if (origin && (origin.generationId !== null || origin.provider !== null)) emit({ type: 'origin', ...origin });
    origin = null;
  };

  const countMalformed = (): void => {
    malformed += 1;
    if (events === 1 || malformed > MAX_MALFORMED) throw providerError('invalid', { cause: new Error('not JSON') });
  };

  const acceptReasoning = ({ reasoning, details }: Chunk): void => {
    if (reasoning === null && details === null) return;
    emit({ type: 'reasoning', text: reasoning ?? '', ...(details === null ? {} : { details }) });
    if (details !== null || isVisible(reasoning ?? '')) onToken();
  };

  const acceptTokens = (chunk: Chunk): void => {
    const { text, refusal, toolCalls, extra } = chunk;
    acceptReasoning(chunk);
    if (text !== null) emitText('delta', text);
    if (refusal !== null) emitText('refusal', refusal);
    if (toolCalls !== null) {
      emit({ type: 'tool_calls', calls: toolCalls });
      onToken();
    }
    if (extra !== null) {
      emit(extra);
      if (extra.hasContent) onToken();
    }
  };

  const hasTokens = ({ text, refusal, reasoning, details, toolCalls, extra }: Chunk): boolean =>
    (text ?? refusal ?? reasoning ?? details ?? toolCalls ?? extra) !== null;

  const acceptChunk = (chunk: Chunk, data: string): void => {
    if (chunk.usage !== null) usage = chunk.usage;
    if (hasTokens(chunk)) {
      if (origin !== null) tellOrigin();
      acceptTokens(chunk);
    }
    if (chunk.error !== null) throw toError(chunk.error);
    finishReason ??= chunk.finishReason;
    if (chunk.text !== null) onPlainText?.(data, chunk.text);
  };

  const flush = (): void => {
    tellOrigin();
    for (const type of ['delta', 'refusal'] as const) {
      if (heldSurrogates[type] !== '') emit({ type, text: '\uFFFD' });
      heldSurrogates[type] = '';
    }
    if (usage !== null) emit({ type: 'usage', usage });
    usage = null;
  };

  return {
    isDone: () => isDone,
    finishReason: () => finishReason,
    accept: ({ event, data }) => {
      if (isDone) return;
      if (data.trim() === '[DONE]') {
        isDone = true;
        return;
      }
      events += 1;
      const json = parseJson(data);
      learnOrigin(json);
      if (event === 'error') throw toError(fieldOf(json, 'error') ?? json ?? data);
      const chunk = readChunk(json);
      if (chunk === null) countMalformed();
      else acceptChunk(chunk, data);
    },
    acceptText: (text) => {
      if (!isDone) emitText('delta', text);
    },
    end: () => {
      flush();
      if (finishReason === null) {
        throw providerError('invalid', { cause: new Error(events === 0 ? 'empty answer' : 'cut before its end') });
      }
      emit({ type: 'finish', reason: finishReason });
    },
    breakOff: flush,
  };
};
