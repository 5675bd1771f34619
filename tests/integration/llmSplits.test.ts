import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { LlmPart } from '../../src/services/llm/provider.ts';
import type { OpenRouterProvider } from '../../src/services/llm/openrouter.provider.ts';
import type { Simulator } from '../../src/services/llm/simulator/index.ts';
import { collect, startLlmEndpoint, type LlmEndpoint } from '../support/llmEndpoint.ts';

const LONG = 120_000;
/** Endpoints, since where a packet ends is one setting for all calls of an endpoint. */
const PARALLEL = 6;
const never = new AbortController().signal;

/** At every byte: the shapes of a stream, and the ways in which it goes wrong between two of its events. */
const AT_EVERY_BYTE = ['words:1', 'err-mid:1', 'malformed', 'unicode', 'bom', 'ok-usage-old', 'ok-usage-new'];
/** At so many places, evenly spread: longer streams, in which the same shapes come again. */
const PLACES = 40;
const AT_SOME = [
  ...['length:4', 'malformed-first', 'content_filter', 'reasoning-cut', 'blank-200', 'stall-then-resume:5'],
  ...['usage-missing', 'surrogate-split', 'reasoning', 'tools', 'comments'],
  ...['crlf', 'no-space', 'multi-data-line', 'event-name', 'no-done', 'no-final-blank-line', 'coalesced'],
  ...['done-glued-to-json', 'dup-finish', 'debug-first-chunk', 'err-first-event', 'err-choice-only', 'err-string-code'],
  ...['event-error', 'cut-after', 'fin-mid-chunk', 'empty', 'empty-stream', 'whitespace', 'malformed:4', 'tools-cut'],
];

interface Reader {
  readonly simulator: Simulator;
  readonly provider: OpenRouterProvider;
}

const endpoints: LlmEndpoint[] = [];
let readers: readonly Reader[];
beforeAll(async () => {
  for (let count = 0; count < PARALLEL; count += 1) endpoints.push(await startLlmEndpoint());
  readers = endpoints.map((endpoint) => ({ simulator: endpoint.simulator, provider: endpoint.provider() }));
});
afterAll(() => Promise.all(endpoints.map((endpoint) => endpoint.close())));

/** An answer, however many pieces it came in; its books have a number of their own in each call. */
const read = async ({ provider }: Reader, mode: string): Promise<string> => {
  const messages = [{ role: 'user', content: 'hello' }] as const;
  const request = { model: `sim/${mode}`, messages, temperature: 1, maxTokens: 50 };
  const { parts, text, error } = await collect<LlmPart>(provider.stream(request, never));
  return JSON.stringify({
    text,
    reasoning: parts.map((part) => (part.type === 'reasoning' ? part.text : '')).join(''),
    calls: parts.flatMap((part) => (part.type === 'tool_calls' ? part.calls : [])),
    ends: parts.filter(({ type }) => type === 'usage' || type === 'finish'),
    origins: parts.filter(({ type }) => type === 'origin').length,
    error: Error.isError(error) && 'kind' in error ? error.kind : error,
  });
};

/** Where to split, beginning with the first byte; the headers count too, so that a few are beyond the end. */
const offsetsOf = (bytes: number, places: number): number[] => {
  const step = Math.max(1, Math.floor(bytes / places));
  return Array.from({ length: Math.floor(bytes / step) }, (_, index) => 1 + index * step);
};

/** @returns the offsets at which the answer is another than without a split, with what it is there */
const differences = async (mode: string, places: number): Promise<unknown[]> => {
  const [first] = readers;
  first!.simulator.config({ splitAt: null });
  const whole = await read(first!, mode);
  await first!.simulator.idle();
  const offsets = offsetsOf(first!.simulator.log.at(-1)!.bytesSent, places);
  const found: unknown[] = [];
  const work = async (reader: Reader): Promise<void> => {
    for (let splitAt = offsets.shift(); splitAt !== undefined; splitAt = offsets.shift()) {
      reader.simulator.config({ splitAt });
      const split = await read(reader, mode);
      if (split !== whole) found.push({ splitAt, split, whole });
    }
  };
  await Promise.all(readers.map(work));
  return found;
};

test.each(AT_EVERY_BYTE)(
  'a stream of mode %s is the same answer wherever a packet ends, at every byte',
  async (mode) => {
    expect(await differences(mode, Infinity)).toEqual([]);
  },
  LONG,
);

test.each(AT_SOME)(
  'a stream of mode %s is the same answer wherever a packet ends',
  async (mode) => {
    expect(await differences(mode, PLACES)).toEqual([]);
  },
  LONG,
);
