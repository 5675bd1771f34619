import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { countTokens, splitWords, type SimulatedMessage } from './text.ts';

/** The question, as the simulator understood it. */
export interface SimulatedRequest {
  readonly model: string;
  readonly messages: readonly SimulatedMessage[];
  readonly maxTokens: number | null;
}

/** One call while it is answered: what a mode may do with it. */
export interface Exchange {
  readonly request: SimulatedRequest;
  /** Answers with a status and a JSON body, as OpenRouter does when it refuses. */
  json(status: number, body: unknown, headers?: Readonly<Record<string, string>>): void;
  /** Starts an event stream. Everything below needs it. */
  open(): void;
  /** A text as it is; resolves when it was handed to the socket or the client is gone. */
  write(raw: string): Promise<void>;
  chunk(choice: Readonly<Record<string, unknown>>, rest?: Readonly<Record<string, unknown>>): Promise<void>;
  /** A text, word by word, one chunk each. */
  say(text: string): Promise<void>;
  finish(reason?: string): Promise<void>;
  usage(): Promise<void>;
  /** `[DONE]`, and the end of the answer. */
  done(): Promise<void>;
  end(): void;
  /** Breaks the connection without an end. */
  reset(): void;
  /** Says nothing more until the client goes away. */
  stall(): Promise<void>;
  wait(ms: number): Promise<void>;
  readonly isGone: boolean;
  readonly goneSignal: AbortSignal;
}

export interface ExchangeOptions {
  readonly request: SimulatedRequest;
  readonly id: string;
  readonly tokenDelayMs: number;
  /** US dollars per token that the books show. */
  readonly usdPerToken: number;
  readonly lineEnd: '\n' | '\r\n';
  /** Whether every byte is a packet of its own. */
  readonly isByteByByte: boolean;
}

interface Said {
  text: string;
  reasoning: string;
}

const usageOf = ({ request, usdPerToken }: ExchangeOptions, said: Said): Readonly<Record<string, unknown>> => {
  const promptTokens = request.messages.reduce((sum, { content }) => sum + countTokens(content), 0);
  const reasoningTokens = countTokens(said.reasoning);
  const completionTokens = countTokens(said.text) + reasoningTokens;
  const totalTokens = promptTokens + completionTokens;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: totalTokens,
    cost: totalTokens * usdPerToken,
    is_byok: false,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
};

/** Aborted when the client is gone, or the answer was sent. */
const signalOf = (res: ServerResponse): AbortSignal => {
  const controller = new AbortController();
  res.on('close', () => controller.abort());
  return controller.signal;
};

/** Resolves early, never rejects, when the signal is aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined);

const HEADERS = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' } as const;

/**
 * Speaks OpenRouter's stream to one response: the frames of openrouter.ai/docs, "Streaming", with `provider` and `gen-`
 * ids, the usage after the finish reason, in a chunk without a choice.
 */
export const createExchange = (res: ServerResponse, options: ExchangeOptions): Exchange => {
  const { request, id, tokenDelayMs, lineEnd } = options;
  const goneSignal = signalOf(res);
  const said: Said = { text: '', reasoning: '' };
  const head = { id, provider: 'Parley simulator', model: request.model, object: 'chat.completion.chunk' } as const;
  const created = Math.floor(Date.now() / 1000);

  const send = async (bytes: Buffer): Promise<void> => {
    if (res.destroyed || res.write(bytes)) return;
    await once(res, 'drain', { signal: goneSignal }).catch(() => undefined);
  };
  const write = async (raw: string): Promise<void> => {
    const bytes = Buffer.from(raw);
    if (!options.isByteByByte) return send(bytes);
    for (let at = 0; at < bytes.length; at += 1) {
      await send(bytes.subarray(at, at + 1));
      await nextTurn();
    }
  };
  const frame = (body: unknown): Promise<void> => write(`data: ${JSON.stringify(body)}${lineEnd}${lineEnd}`);
  const remember = (choice: Readonly<Record<string, unknown>>): void => {
    const { delta } = choice;
    if (typeof delta !== 'object' || delta === null) return;
    if ('content' in delta) said.text += String(delta.content);
    if ('reasoning' in delta) said.reasoning += String(delta.reasoning);
  };
  const chunk: Exchange['chunk'] = (choice, rest = {}) => {
    remember(choice);
    return frame({ ...head, created, choices: [{ index: 0, finish_reason: null, ...choice }], ...rest });
  };

  return {
    request,
    goneSignal,
    get isGone() {
      return goneSignal.aborted;
    },
    json: (status, body, headers = {}) => {
      res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      res.end(typeof body === 'string' ? body : JSON.stringify(body));
    },
    open: () => {
      res.writeHead(200, { ...HEADERS, 'X-Generation-Id': id });
      res.flushHeaders();
    },
    write,
    chunk,
    say: async (text) => {
      for (const word of splitWords(text)) {
        if (goneSignal.aborted) return;
        await chunk({ delta: { role: 'assistant', content: word } });
        if (tokenDelayMs > 0) await pause(tokenDelayMs, goneSignal);
      }
    },
    finish: (reason = 'stop') =>
      chunk({ delta: { role: 'assistant', content: '' }, finish_reason: reason, native_finish_reason: reason }),
    usage: () => frame({ ...head, created, choices: [], usage: usageOf(options, said) }),
    done: async () => {
      await write(`data: [DONE]${lineEnd}${lineEnd}`);
      res.end();
    },
    end: () => void res.end(),
    reset: () => void res.socket?.resetAndDestroy(),
    stall: async () => {
      if (goneSignal.aborted) return;
      await new Promise<void>((resolve) => goneSignal.addEventListener('abort', () => resolve(), { once: true }));
    },
    wait: (ms) => pause(ms, goneSignal),
  };
};
