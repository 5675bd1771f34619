import type { IncomingMessage } from 'node:http';
import { createAnswer } from './answer.ts';
import { createChunkTemplate } from './chunkTemplate.ts';
import { createPartQueue } from './partQueue.ts';
import type { Beat } from './beat.ts';
import type { LlmPart } from './provider.ts';
import { providerError } from './providerErrors.ts';
import { createSseParser, MAX_EVENT_BYTES, type SseParser, type SseParserOptions } from './sseParser.ts';
import type { Watchdog } from './watchdog.ts';

/** How much text may wait for a slow consumer before the socket is left unread. */
const MAX_WAITING_CHARS = 256 * 1024;
/** How long the books and the end of the stream may take once the model said that it had finished. */
const AFTER_FINISH_MS = 2000;
/** How long the last bytes may take after `[DONE]`, so that the connection can be used again. */
const DRAIN_MS = 1000;

interface ReadOptions {
  /** Aborting it ends the reading at once; its reason is thrown. */
  readonly signal: AbortSignal;
  readonly watchdog: Watchdog;
  /** By which what follows the first token is handed out; null: each piece as it comes. */
  readonly beat: Beat | null;
  readonly toError: (error: unknown) => Error;
  /** The answer has come to its end; not called for one that was cut. */
  readonly onAnswered: () => void;
}

/** An endpoint that does not stream answers with one JSON document, and OpenRouter may with a 200 that is an error. */
const createWholeBody = ({ onEvent }: Pick<SseParserOptions, 'onEvent'>): SseParser => {
  const chunks: Buffer[] = [];
  let length = 0;
  return {
    push: (bytes) => {
      chunks.push(bytes);
      length += bytes.length;
      if (length > MAX_EVENT_BYTES) throw providerError('invalid', { cause: new Error('the answer is too long') });
    },
    end: () => onEvent({ event: null, data: Buffer.concat(chunks).toString('utf8') }),
  };
};

const createParser = (body: IncomingMessage, options: SseParserOptions): SseParser => {
  const isJson = /^application\/(\S+\+)?json/i.test(body.headers['content-type'] ?? '');
  return isJson ? createWholeBody(options) : createSseParser(options);
};

/** A proxy's page instead of an answer. Other types are read as events: not every endpoint names them well. */
const isPage = (body: IncomingMessage): boolean => /^text\/html/i.test(body.headers['content-type'] ?? '');

const pageError = (onAnswered: () => void): Error => {
  onAnswered();
  return providerError('invalid', { cause: new Error('an HTML page') });
};

/** Lets the end of the body pass, so that the connection is free again; a body without an end loses its connection. */
const drain = (body: IncomingMessage): void => {
  if (body.complete || body.destroyed) {
    body.resume();
    return;
  }
  const timer = setTimeout(() => body.destroy(), DRAIN_MS).unref();
  body.once('close', () => clearTimeout(timer));
  body.resume();
};

/** OpenRouter's own id of the call; it is there before the first event (openrouter.ai/docs, "Streaming"). */
const generationIdOf = (body: IncomingMessage): string | null => {
  const id = body.headers['x-generation-id'];
  return typeof id === 'string' && id !== '' ? id : null;
};

const asError = (reason: unknown): Error => (Error.isError(reason) ? reason : new Error('aborted', { cause: reason }));

/** The parts of one answer while they come in. */
export interface Reading {
  /** Resolves when there is something to take, or false at the end. @throws ProviderError; the signal's reason after an abort */
  ready(): Promise<boolean>;
  /** What came since; all that one network read brought comes as few parts. */
  take(): readonly LlmPart[];
  /** Lets go; before the end it closes the connection. */
  stop(): void;
}

/**
 * Reads the body of a 2xx response to a streamed `chat/completions` request. Not a generator of its own: its caller is
 * one, and each costs every token several turns of the microtask queue.
 */
export const openReading = (
  body: IncomingMessage,
  { signal, watchdog, beat, toError, onAnswered }: ReadOptions,
): Reading => {
  let hasToken = false;
  let isGathering = false;
  const leaveBeat = beat?.enter();
  const queue = createPartQueue((wake) => {
    if (isGathering && beat) beat.next(wake);
    else wake();
  });
  let afterFinish: NodeJS.Timeout | null = null;
  const answer = createAnswer({
    toError,
    emit: (part) => queue.push(part),
    onToken: () => {
      hasToken = true;
      watchdog.tokenArrived();
    },
    generationId: generationIdOf(body),
    onPlainText: (data, text) => template.learn(data, text),
  });
  const template = createChunkTemplate((text) => answer.acceptText(text));
  const parser = createParser(body, {
    onEvent: (event) => answer.accept(event),
    shortcut: (lines, from) => template.take(lines, from),
  });

  const fail = (error: unknown): void => {
    if (queue.isClosed()) return;
    answer.breakOff();
    queue.close(asError(error));
    body.destroy();
  };
  const finish = (): void => {
    if (queue.isClosed()) return;
    onAnswered();
    try {
      answer.end();
      queue.close();
      drain(body);
    } catch (error) {
      fail(error);
    }
  };
  const accept = (bytes: Buffer | null): void => {
    if (queue.isClosed()) return;
    try {
      if (bytes) parser.push(bytes);
      else parser.end();
    } catch (error) {
      fail(error);
      return;
    }
    if (answer.isDone()) finish();
    else if (answer.finishReason() !== null) afterFinish ??= setTimeout(finish, AFTER_FINISH_MS);
  };

  const onData = (bytes: Buffer): void => {
    accept(bytes);
    if (queue.size() <= MAX_WAITING_CHARS) return;
    watchdog.pause();
    body.pause();
  };
  const onEnd = (): void => {
    accept(null);
    finish();
  };
  const onBroken = (error?: Error): void => {
    // Once the model has finished, a connection that breaks takes nothing away.
    if (answer.finishReason() !== null) finish();
    else fail(providerError('network', { cause: error ?? new Error('connection closed') }));
  };
  const onAbort = (): void => fail(signal.reason);

  body.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  signal.addEventListener('abort', onAbort);
  if (isPage(body)) fail(pageError(onAnswered));
  if (signal.aborted) onAbort();
  else if (body.destroyed) onBroken();

  return {
    ready: () => {
      // What was taken before is consumed by now.
      if (body.isPaused() && !queue.isClosed()) body.resume();
      return queue.ready();
    },
    take: () => {
      // Nobody waits for the first token.
      isGathering = hasToken;
      return queue.take();
    },
    stop: () => {
      leaveBeat?.();
      if (afterFinish) clearTimeout(afterFinish);
      signal.removeEventListener('abort', onAbort);
      if (queue.isClosed()) return;
      queue.close();
      body.destroy();
    },
  };
};
