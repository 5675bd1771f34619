import { continued } from '../continuation.ts';
import type { Exchange } from '../exchange.ts';
import { readDuration } from '../timing.ts';
import type { Framing } from '../wire.ts';

/** What stands after a mode's colon. */
export interface Argument {
  readonly text: string;
  /** The number; the fallback where there is no argument. */
  count(fallback: number): number;
  /** The duration in milliseconds; the fallback where there is no argument. */
  ms(fallback: number): number;
}

/** How an argument must look; a mode that takes none refuses every one. */
export const ARGUMENTS = {
  N: /^\d+$/,
  duration: /^\d+(\.\d+)?(ms|s|m|h)?$/,
  text: /^.+$/,
  mode: /^.+$/,
  'down,up[,mode]': /^[\d.]+(ms|s|m|h)?,[\d.]+(ms|s|m|h)?(,.+)?$/,
  'duration[,mode]': /^[\d.]+(ms|s|m|h)?(,.+)?$/,
  'N[,mode]': /^\d+(,.+)?$/,
} as const;

export type Play = (exchange: Exchange, argument: Argument) => Promise<void> | void;

interface Documented {
  /** One line for the list of modes. */
  readonly about: string;
  readonly takes?: keyof typeof ARGUMENTS;
}

/** A mode that answers. */
export interface PlayedMode extends Documented {
  readonly play: Play;
  readonly framing?: Framing;
  /** Whether its length is what it is for, so that the request's longest answer does not cut it. */
  readonly isUnlimited?: true;
}

/** What a mode that only chooses may look at. Times are milliseconds since the epoch, by the simulator's clock. */
export interface Situation {
  readonly now: number;
  /** 1 for the first call of this model. */
  readonly call: number;
  readonly firstCallAt: number;
  /** Calls of this model that run, this one included. */
  readonly inFlight: number;
  /** What all models have cost so far, in millionths of a dollar. */
  readonly spentMicroUsd: number;
  readonly outageMs: number;
  readonly scale: number;
}

/** A mode that says which mode is played. */
export interface ChoosingMode extends Documented {
  readonly choose: (situation: Situation, argument: Argument) => string;
}

export type ModeTable = Readonly<Record<string, PlayedMode | ChoosingMode>>;

export const readArgument = (text: string): Argument => ({
  text,
  count: (fallback) => (text === '' ? fallback : Number(text)),
  ms: (fallback) => (text === '' ? fallback : (readDuration(text) ?? fallback)),
});

/** Words that an answer has when nobody asks for another number. */
export const DEFAULT_WORDS = 8;
/** Words after which an answer breaks when nobody asks for another number. */
export const WORDS_BEFORE_BREAK = 3;

/** Lines that keep a connection alive, and say nothing (openrouter.ai/docs, "Streaming"). */
export const COMMENT = ': OPENROUTER PROCESSING\n\n';

/** The usual end: finish reason, books, `[DONE]`. */
export const close = async (exchange: Exchange, reason = 'stop'): Promise<void> => {
  await exchange.finish(reason);
  await exchange.usage();
  await exchange.done();
};

/** Says the text, or what is left of it where the conversation asks to go on. */
export const tell = (exchange: Exchange, text: string): Promise<void> =>
  exchange.say(continued(text, exchange.request.continuation));

export const answer = async (exchange: Exchange, text: string): Promise<void> => {
  exchange.open();
  await tell(exchange, text);
  await close(exchange);
};

/** The messages that the answer is about: without those that only ask to go on. */
export const questionOf = ({ request }: Exchange) => request.continuation?.messages ?? request.messages;

/** OpenRouter's error object (openrouter.ai/docs, "Errors and debugging"). @param code the HTTP status, or a word of the provider's */
export const errorBody = (code: number | string, type: string, message: string) => ({
  error: { code, message, metadata: { error_type: type } },
});

/** The same with more about it, as an upstream provider's error has. */
export const detailed = <T extends object>({ error }: ReturnType<typeof errorBody>, metadata: T) => ({
  error: { ...error, metadata: { ...error.metadata, ...metadata } },
});

export const FAULT = detailed(errorBody(502, 'provider_unavailable', 'Provider returned error'), {
  provider_name: 'Parley simulator',
  raw: 'upstream connect error or disconnect/reset before headers',
});
