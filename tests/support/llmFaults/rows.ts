import { countedText, newcomerText, UNICODE_TEXT } from '../../../src/services/llm/simulator/text.ts';

/** What every row of the table asks. */
export const QUESTION = 'hello there';
/** What the healthy model answers: no faulty model says it. */
export const HEALTHY_WORDS = 20;
export const HEALTHY_TEXT = countedText(HEALTHY_WORDS);

/** What a client must see of one fault, and what it may cost. */
export type Expected =
  /** The faulty model's own answer, whole; one call. `isSlow`: on a busy machine the next model's, with two. */
  | { readonly is: 'good'; readonly text: string; readonly finish: string; readonly isSlow: boolean }
  /** The next model's answer, and nothing of the fault; two calls. */
  | { readonly is: 'unseen' }
  /** A refusal that every model would repeat; one call. */
  | { readonly is: 'refused'; readonly by: 'caller' | 'context' | 'account' }
  /**
   * The text that came, and an honest failure; one call. `isTorn`: a reset may swallow bytes that nobody had read yet. At the
   * plain door of `/v1`, where nothing came: the next model's answer, and two calls.
   */
  | { readonly is: 'partial'; readonly text: string; readonly isTorn: boolean }
  /** The port is closed to the next model too: its answer, or an honest failure. */
  | { readonly is: 'closed' };

export interface FaultRow {
  /** As the simulator knows it, with its argument. */
  readonly mode: string;
  readonly expected: Expected;
}

const EIGHT = countedText(8);
const THREE = countedText(3);
const NEWCOMER = newcomerText([{ role: 'user', content: QUESTION }]);

const good = (text: string, modes: readonly string[], finish = 'stop'): readonly FaultRow[] =>
  modes.map((mode) => ({ mode, expected: { is: 'good', text, finish, isSlow: false } }));
const slow = (text: string, mode: string): FaultRow => ({
  mode,
  expected: { is: 'good', text, finish: 'stop', isSlow: true },
});
const unseen = (...modes: readonly string[]): readonly FaultRow[] =>
  modes.map((mode) => ({ mode, expected: { is: 'unseen' } }));
const refused = (by: 'caller' | 'context' | 'account', ...modes: readonly string[]): readonly FaultRow[] =>
  modes.map((mode) => ({ mode, expected: { is: 'refused', by } }));
const partial = (text: string, modes: readonly string[], isTorn = false): readonly FaultRow[] =>
  modes.map((mode) => ({ mode, expected: { is: 'partial', text, isTorn } }));

/** Every mode of the simulator (docs/simulator.md), by what its kind of fault promises (docs/routing.md). */
export const FAULT_ROWS: readonly FaultRow[] = [
  ...good(NEWCOMER, ['ok', 'slow:1', 'concurrency:1', 'free-pool']),
  ...good(QUESTION, ['echo']),
  ...good(EIGHT, ['words:8', 'slow-first-token', 'ok-usage-old', 'ok-usage-new', 'ok-nostream', 'ok-context:100000']),
  ...good(EIGHT, ['ok-cached', 'reasoning', 'debug-first-chunk', 'role-first']),
  ...good('', ['tools'], 'tool_calls'),
  ...good(countedText(4), ['length:4'], 'length'),
  ...good('', ['content_filter'], 'content_filter'),
  ...good(countedText(2), ['content_filter:2'], 'content_filter'),

  ...good('word1 word2', ['comments', 'malformed']),
  ...good(UNICODE_TEXT, ['unicode', 'crlf', 'no-space', 'multi-data-line', 'event-name', 'bom']),
  ...good(UNICODE_TEXT, ['surrogate-split']),
  ...good(EIGHT, ['no-done', 'no-final-blank-line', 'done-then-open-socket', 'done-then-late-end', 'coalesced']),
  ...good(EIGHT, ['finish-then-open-socket', 'done-glued-to-json', 'stall-then-resume', 'dup-finish', 'usage-missing']),
  ...good(EIGHT, ['noprefill:8', 'continue-no-anchor:8', 'continue-whitespace:8', 'refuse-continue:8']),
  slow('word1 word2', 'slow-drip'),
  slow(UNICODE_TEXT, 'utf8-split'),
  slow('x'.repeat(1024 * 1024), 'huge-chunk'),
  ...good('again '.repeat(200), ['repeat-loop']),

  ...unseen('404', '404-no-endpoints', '404-free-ended', '408', '429', '429-upstream', '429-platform', '429-day'),
  ...unseen('429-retry-after:2', '429-retry-after:0', '429-retry-after:-1', '429-retry-after:1e9'),
  ...unseen('429-retry-after:date', '429-retry-after:past-date', '429-retry-after:garbage'),
  ...unseen('500', '502', '502-html', '503', '503-retry-after', '504', '524', '529'),
  ...unseen('html', '200-json-error', 'empty-body', 'truncated-json', 'wrong-content-type'),
  ...unseen('reset-before-headers', 'blank-200', 'silence', 'reasoning-cut'),
  ...unseen('stall-connect', 'stall-headers', 'stall-first-token', 'stall-first-token-with-comments'),
  // Compressed although we refuse that: unreadable, and so another model's.
  ...unseen('gzip'),
  ...unseen('err-first-event', 'malformed-first', 'empty-stream', 'empty', 'whitespace', 'cut-after:0'),
  ...unseen('once:500', 'down:1h', 'flap:1h,1h'),

  ...refused('caller', '400', '400-policy', '400-models-limit', '403', '403-moderation', '413', '422'),
  ...refused('context', '400-context'),
  ...refused('account', '401', '402', 'credits:0'),

  ...partial(THREE, ['cut-after', 'fin-mid-chunk', 'stall-mid', 'comments-mid']),
  ...partial(THREE, ['err-mid', 'err-choice-only', 'err-string-code', 'event-error']),
  ...partial('word1', ['malformed:4']),
  ...partial('', ['tools-cut']),
  ...partial(THREE, ['reset-after', 'reset-mid-chunk'], true),

  { mode: 'refuse', expected: { is: 'closed' } },
];

/** Faults of which the specification says what they cost: two calls, and hardly any time. */
export const CHEAP_FAULTS: readonly string[] = ['500', '503', 'reset-before-headers', 'blank-200', 'err-first-event'];
