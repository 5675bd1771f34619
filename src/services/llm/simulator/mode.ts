import type { Exchange } from './exchange.ts';

/** How a model behaves: plays one call; `count` is the number after the mode's colon, or the mode's default. */
export type Mode = (exchange: Exchange, count: number) => Promise<void> | void;

export const DEFAULT_WORDS = 8;

/** The usual end: finish reason, books, `[DONE]`. */
export const close = async (exchange: Exchange, reason = 'stop'): Promise<void> => {
  await exchange.finish(reason);
  await exchange.usage();
  await exchange.done();
};

export const answer = async (exchange: Exchange, text: string): Promise<void> => {
  exchange.open();
  await exchange.say(text);
  await close(exchange);
};
