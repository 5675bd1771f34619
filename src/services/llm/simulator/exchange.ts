import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.ts';
import { endReason, measure, newTally, usageView, type Tally } from './books.ts';
import type { ModelSettings } from './catalogue.ts';
import { fitting, type Kind, type Limit } from './limit.ts';
import type { SimulatedRequest } from './request.ts';
import { splitWords } from './text.ts';
import type { Pace, Timings } from './timing.ts';
import { createWholeWire } from './wholeWire.ts';
import { createStreamWire, type Framing } from './wire.ts';

export interface ToolDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: 'function';
  readonly function: { readonly name?: string; readonly arguments: string };
}

/** What one chunk adds. */
export interface Delta {
  readonly role?: 'assistant';
  readonly content?: string | null;
  readonly reasoning?: string;
  readonly tool_calls?: readonly ToolDelta[];
}

export interface Choice {
  readonly delta: Delta;
  readonly finish_reason?: string;
  readonly native_finish_reason?: string;
}

/** What modes know about the simulator they play in. */
export interface Stage {
  /** Milliseconds since the epoch, by the simulator's clock. */
  now(): number;
  readonly timings: Timings;
  readonly account: Account;
  /** Closes the port for so long: who connects meanwhile is refused. */
  closePort(ms: number): void;
}

/** `new`: no choice, as OpenRouter sends it; `bare`: nor an id; `old`: one empty choice, as before March 2026. */
export type UsageShape = 'new' | 'bare' | 'old';

/** One call while it is answered: what a mode may do with it. */
export interface Exchange {
  readonly request: SimulatedRequest;
  readonly settings: ModelSettings;
  readonly stage: Stage;
  readonly tally: Tally;
  /** Answers with a status and a JSON body, as OpenRouter does when it refuses. */
  json(status: number, body: unknown, headers?: Readonly<Record<string, string>>): void;
  /** Starts the answer. Everything below needs it. */
  open(): void;
  /** A text of the event stream as it is; resolves when it was handed to the socket or the client is gone. */
  write(raw: string): Promise<void>;
  /** An event without the usual fields. */
  frame(body: Readonly<Record<string, unknown>>, eventName?: string): Promise<void>;
  /** A part of the answer, as far as the longest one that the request allows has room for it. */
  chunk(choice: Choice, rest?: Readonly<Record<string, unknown>>): Promise<void>;
  /** A text, word by word, at the model's pace. */
  say(text: string): Promise<void>;
  /** `length` instead of the reason where the request's longest answer was reached. */
  finish(reason?: string): Promise<void>;
  usage(shape?: UsageShape): Promise<void>;
  /** `[DONE]`, and the end of the answer. */
  done(): Promise<void>;
  end(): void;
  /** Breaks the connection without an end (RST). */
  reset(): void;
  /** Ends the connection without the end of the answer (FIN). */
  hangUp(): void;
  /** A piece of an HTTP chunk whose rest never comes; nothing where no stream runs. */
  writeTornChunk(text: string): void;
  /** Says nothing more until the client goes away. */
  stall(): Promise<void>;
  /** So long that a client has read what was written: RST throws away what it has not. */
  linger(): Promise<void>;
  /** @param ms before the simulator's time scale */
  wait(ms: number): Promise<void>;
  readonly isGone: boolean;
  readonly goneSignal: AbortSignal;
}

export interface ExchangeOptions {
  readonly request: SimulatedRequest;
  readonly settings: ModelSettings;
  readonly stage: Stage;
  readonly id: string;
  readonly pace: Pace;
  /** Of the answer; Infinity: as long as it is. */
  readonly maxTokens: number;
  readonly framing: Framing;
  /** 0.1: waits of modes take a tenth. */
  readonly scale: number;
  /** The first token was handed to the socket. */
  readonly onFirstToken: () => void;
}

const LINGER_MS = 20;

/** Aborted when the client is gone, or the answer was sent. */
const signalOf = (res: ServerResponse): AbortSignal => {
  const controller = new AbortController();
  res.on('close', () => controller.abort());
  return controller.signal;
};

/** Resolves early, never rejects, when the signal is aborted. */
const pause = async (ms: number, signal: AbortSignal): Promise<void> => {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
};

const remember = (tally: Tally, { delta, finish_reason: reason }: Choice): void => {
  tally.text += delta.content ?? '';
  tally.reasoning += delta.reasoning ?? '';
  for (const call of delta.tool_calls ?? []) tally.toolArguments += call.function.arguments;
  tally.finishReason ??= reason ?? null;
};

/** What of the delta there is room for; notes it when that is not all. */
const fittingDelta = (delta: Delta, limit: Limit): Delta => {
  const cut = (piece: string, kind: Kind): string => {
    const fit = fitting(piece, kind, limit);
    if (fit.length < piece.length) limit.said.isCut = true;
    return fit;
  };
  return {
    ...delta,
    ...(typeof delta.content === 'string' && { content: cut(delta.content, 'text') }),
    ...(delta.reasoning !== undefined && { reasoning: cut(delta.reasoning, 'reasoning') }),
    ...(delta.tool_calls && {
      tool_calls: delta.tool_calls.map((call) => ({
        ...call,
        function: { ...call.function, arguments: cut(call.function.arguments, 'toolArguments') },
      })),
    }),
  };
};

/** Words in groups of so many. */
const grouped = (words: readonly string[], size: number): readonly string[] =>
  size === 1
    ? words
    : Array.from({ length: Math.ceil(words.length / size) }, (_, index) =>
        words.slice(index * size, (index + 1) * size).join(''),
      );

const scaled = ({ byteGapMs, ...framing }: Framing, scale: number): Framing =>
  byteGapMs === undefined ? framing : { ...framing, byteGapMs: byteGapMs * scale };

/** What every chunk begins with. */
const headOf = ({ request, settings, stage, id }: ExchangeOptions) => ({
  id,
  provider: settings.provider,
  model: request.model,
  object: request.stream ? 'chat.completion.chunk' : 'chat.completion',
  created: Math.floor(stage.now() / 1000),
});

/**
 * Speaks OpenRouter's answer to one request: the frames of openrouter.ai/docs, "Streaming", with `provider` and `gen-`
 * ids, the usage after the finish reason, in a chunk without a choice; or one `chat.completion` where no stream is wanted.
 */
export const createExchange = (res: ServerResponse, options: ExchangeOptions): Exchange => {
  const { request, settings, stage, pace, maxTokens, scale } = options;
  const goneSignal = signalOf(res);
  const tally = newTally();
  const limit = { said: tally, maxTokens };
  const wireOptions = { generationId: options.id, goneSignal };
  const wire = request.stream
    ? createStreamWire(res, scaled(options.framing, scale), wireOptions)
    : createWholeWire(res, wireOptions);
  const head = headOf(options);
  let hasSpoken = false;

  /** The wait before the first token, once. */
  const firstToken = async (): Promise<void> => {
    if (hasSpoken) return;
    hasSpoken = true;
    await pause(pace.firstTokenMs, goneSignal);
    options.onFirstToken();
  };
  const chunk: Exchange['chunk'] = async (choice, rest = {}) => {
    if (tally.isCut && choice.finish_reason === undefined) return;
    const delta = fittingDelta(choice.delta, limit);
    remember(tally, { ...choice, delta });
    await wire.frame({ ...head, choices: [{ index: 0, finish_reason: null, ...choice, delta }], ...rest });
  };
  const say = async (text: string): Promise<void> => {
    tally.planned = tally.text + fitting(text, 'text', limit);
    await firstToken();
    for (const words of grouped(splitWords(text), pace.wordsPerChunk)) {
      if (goneSignal.aborted || tally.isCut) return;
      await chunk({ delta: { role: 'assistant', content: words } });
      await pause(pace.nextDelayMs(), goneSignal);
    }
  };
  const usage = (shape: UsageShape = 'new'): Promise<void> => {
    const body = { usage: usageView(measure({ request, settings, tally })) };
    if (shape === 'bare') return wire.frame({ object: head.object, choices: [], ...body });
    const choices =
      shape === 'old' ? [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] : [];
    return wire.frame({ ...head, choices, ...body });
  };

  return {
    request,
    settings,
    stage,
    tally,
    goneSignal,
    get isGone() {
      return goneSignal.aborted;
    },
    json: (status, body, headers = {}) => {
      tally.isFailed = true;
      res.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      res.end(typeof body === 'string' ? body : JSON.stringify(body));
    },
    open: () => wire.open(),
    write: (raw) => wire.raw(raw),
    frame: (body, eventName) => wire.frame(body, eventName),
    chunk,
    say,
    finish: (reason) => {
      const why = endReason(tally, reason);
      return chunk({ delta: { role: 'assistant', content: '' }, finish_reason: why, native_finish_reason: why });
    },
    usage,
    done: async () => {
      await wire.raw(`data: [DONE]${options.framing.lineEnd ?? '\n'}${options.framing.lineEnd ?? '\n'}`);
      wire.end();
    },
    end: () => wire.end(),
    reset: () => void res.socket?.resetAndDestroy(),
    hangUp: () => void res.socket?.end(),
    writeTornChunk: (text) => {
      if (res.headersSent) res.socket?.write(`${(text.length * 2).toString(16)}\r\n${text}`);
    },
    stall: async () => {
      if (goneSignal.aborted) return;
      await new Promise<void>((resolve) => goneSignal.addEventListener('abort', () => resolve(), { once: true }));
    },
    linger: () => pause(LINGER_MS, goneSignal),
    wait: (ms) => pause(ms * scale, goneSignal),
  };
};
