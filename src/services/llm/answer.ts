import type { Usage } from '../../models/entities.ts';
import { readChunk, type Chunk } from './chunk.ts';
import { fieldOf, parseJson } from './jsonValue.ts';
import type { FinishReason, LlmPart } from './provider.ts';
import { providerError } from './providerErrors.ts';
import type { SseEvent } from './sseParser.ts';

/** One garbage frame in a long answer is survivable; more mean that the answer cannot be trusted. */
const MAX_MALFORMED = 3;

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;

interface AnswerOptions {
  readonly emit: (part: LlmPart) => void;
  /** What an error object inside the stream means. */
  readonly toError: (error: unknown) => Error;
}

/**
 * One model's answer as its events arrive. Parts come in this order: text and reasoning as they arrive, then `usage`
 * if any came (the last one counts: some endpoints repeat it), then `finish`.
 */
export interface Answer {
  /** @throws ProviderError when the event carries an error, or too many were malformed */
  accept(event: SseEvent): void;
  /** Whether `[DONE]` was seen: nothing after it belongs to the answer. */
  readonly isDone: boolean;
  readonly finishReason: FinishReason | null;
  /** The answer is over. @throws ProviderError `invalid` when the model did not say that it had finished */
  end(): void;
  /** The answer broke off: what the books know is kept. */
  breakOff(): void;
}

export const createAnswer = ({ emit, toError }: AnswerOptions): Answer => {
  let isDone = false;
  let finishReason: FinishReason | null = null;
  let usage: Usage | null = null;
  let heldSurrogate = '';
  let events = 0;
  let malformed = 0;

  /** A pair split over two chunks is joined again: offsets never lie inside one, and half of one cannot be sent. */
  const emitText = (chunkText: string): void => {
    let text = heldSurrogate + chunkText;
    heldSurrogate = '';
    if (isHighSurrogate(text.charCodeAt(text.length - 1))) {
      heldSurrogate = text.slice(-1);
      text = text.slice(0, -1);
    }
    if (text !== '') emit({ type: 'delta', text: text.isWellFormed() ? text : text.toWellFormed() });
  };

  const countMalformed = (): void => {
    malformed += 1;
    if (events === 1 || malformed > MAX_MALFORMED) throw providerError('invalid', { cause: new Error('not JSON') });
  };

  const acceptChunk = (chunk: Chunk): void => {
    if (chunk.usage !== null) usage = chunk.usage;
    if (chunk.reasoning !== null) emit({ type: 'reasoning', text: chunk.reasoning });
    if (chunk.text !== null) emitText(chunk.text);
    if (chunk.error !== null) throw toError(chunk.error);
    finishReason ??= chunk.finishReason;
  };

  const flush = (): void => {
    if (heldSurrogate !== '') emit({ type: 'delta', text: '\uFFFD' });
    heldSurrogate = '';
    if (usage !== null) emit({ type: 'usage', usage });
    usage = null;
  };

  return {
    get isDone() {
      return isDone;
    },
    get finishReason() {
      return finishReason;
    },
    accept: ({ event, data }) => {
      if (isDone) return;
      if (data.trim() === '[DONE]') {
        isDone = true;
        return;
      }
      events += 1;
      const json = parseJson(data);
      if (event === 'error') throw toError(fieldOf(json, 'error') ?? json ?? data);
      const chunk = readChunk(json);
      if (chunk === null) countMalformed();
      else acceptChunk(chunk);
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
