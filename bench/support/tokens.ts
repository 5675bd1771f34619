/**
 * The text that the mock model writes: tokens of exactly five characters, so that a client can take any delta apart
 * again, however many tokens were merged into it.
 */
export const TOKEN_CHARS = 5;
/** How many different texts there are: enough to see replies that were mixed up. */
export const VARIATIONS = 50;

/** `07012`: token 12 of text 7. */
export const textToken = (variation: number, index: number): string =>
  String(variation).padStart(2, '0') + String(index).padStart(3, '0');

const texts = new Map<string, string>();

export const expectedText = (variation: number, tokens: number): string => {
  const key = `${String(variation)}/${String(tokens)}`;
  let text = texts.get(key);
  if (text === undefined) {
    text = Array.from({ length: tokens }, (_token, index) => textToken(variation, index)).join('');
    texts.set(key, text);
  }
  return text;
};

/** What asks for a text; the upstream reads the number back. */
export const question = (variation: number): string =>
  `#${String(variation).padStart(2, '0')} What is the answer to everything, and how sure are you of it?`;

export const variationOf = (content: string): number => Number(/#(\d\d)/.exec(content)?.[1] ?? 0);

const STAMPS = 36 ** TOKEN_CHARS;

/** Microseconds of the machine's monotonic clock, which all processes share. */
export const nowUs = (): number => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
};

/** The moment, as a token. It repeats every 60 seconds. */
export const stampToken = (us: number): string => (us % STAMPS).toString(36).padStart(TOKEN_CHARS, '0');

/** Milliseconds since each token of a text of stamps was made. */
export const agesMs = (text: string, us: number): number[] => {
  const ages: number[] = [];
  for (let at = 0; at + TOKEN_CHARS <= text.length; at += TOKEN_CHARS) {
    const stamp = parseInt(text.slice(at, at + TOKEN_CHARS), 36);
    ages.push((((us % STAMPS) - stamp + STAMPS) % STAMPS) / 1000);
  }
  return ages;
};

/** A model that writes `tokens` tokens, one per `intervalMs`; 0: all at once. `stamp`: each token is its moment. */
export interface Pace {
  readonly kind: 'text' | 'stamp';
  readonly intervalMs: number;
  readonly tokens: number;
}

export const modelOf = ({ kind, intervalMs, tokens }: Pace): string =>
  `bench/${kind}-${String(intervalMs)}-${String(tokens)}`;

export const paceOf = (model: string): Pace => {
  const [, kind, intervalMs, tokens] = /^bench\/(text|stamp)-(\d+)-(\d+)$/.exec(model) ?? [];
  if (tokens === undefined) throw new Error(`not a model of the bench: ${model}`);
  return { kind: kind as Pace['kind'], intervalMs: Number(intervalMs), tokens: Number(tokens) };
};

export const BURST: Pace = { kind: 'text', intervalMs: 0, tokens: 200 };
export const PACED: Pace = { kind: 'text', intervalMs: 10, tokens: 200 };
export const PACED_SLOWLY: Pace = { kind: 'text', intervalMs: 20, tokens: 200 };
/** One token, and then silence for longer than anybody measures. */
export const WAITING: Pace = { kind: 'text', intervalMs: 4000, tokens: 3 };
export const SHORT: Pace = { kind: 'text', intervalMs: 5, tokens: 4 };
export const ONE: Pace = { kind: 'text', intervalMs: 0, tokens: 1 };
export const STAMPED: Pace = { kind: 'stamp', intervalMs: 50, tokens: 80 };

/** Every model that a server must offer. */
export const MODELS: readonly string[] = [BURST, PACED, PACED_SLOWLY, WAITING, SHORT, ONE, STAMPED].map(modelOf);
