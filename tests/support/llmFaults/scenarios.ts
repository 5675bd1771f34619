import { countedText, newcomerText } from '../../../src/services/llm/simulator/text.ts';
import type { SimulatedAttempt } from '../../../src/services/llm/simulator/index.ts';
import type { DoorName, Seen } from './doors.ts';
import { QUESTION } from './rows.ts';

/** How one scenario went at one door. */
export interface Outcome {
  readonly door: DoorName;
  readonly seen: Seen;
  readonly primary: readonly SimulatedAttempt[];
  readonly fallback: readonly SimulatedAttempt[];
}

/** One of Failover Bench's scenarios, or what it leaves open: a client that named the one model. */
export interface Scenario {
  readonly id: string;
  readonly title: string;
  /** How the model asked first behaves. */
  readonly primary: string;
  /** How the next behaves; null: the client picked the first, so that there is no next. */
  readonly fallback: string | null;
  /** Tokens that the fallback's window holds, if that matters. */
  readonly fallbackWindow?: number;
  readonly expected: {
    /** The answer, whole; null: an honest error. */
    readonly text: string | null;
    /** The error's code at the native doors, and at `/v1`. */
    readonly codes?: readonly [native: string, openAi: string];
    readonly calls: readonly [primary: number, fallback: number];
    /** Whose name the answer has. */
    readonly by?: 'primary' | 'fallback';
    /** The scenario's own bound on the whole call, in seconds of a real provider's time. */
    readonly withinSeconds: number;
  };
  /** What is to be held besides: what is wrong. */
  readonly also?: (outcome: Outcome) => readonly string[];
}

const WHOLE = countedText(20);
const EIGHT = countedText(8);
const NEWCOMER = newcomerText([{ role: 'user', content: QUESTION }]);
const OK = 'words:20';
const UNAVAILABLE = ['LLM_UNAVAILABLE', 'overloaded'] as const;

const gapMs = ({ primary: [first, second] }: Outcome): number => (first && second ? second.t - first.t : 0);

const toFallback = (withinSeconds: number): Scenario['expected'] => ({
  text: WHOLE,
  calls: [1, 1],
  by: 'fallback',
  withinSeconds,
});
/** The same model once more, and then its answer. */
const again = (withinSeconds: number): Scenario['expected'] => ({
  text: NEWCOMER,
  calls: [2, 0],
  by: 'primary',
  withinSeconds,
});
const inPlace = (text: string, withinSeconds: number): Scenario['expected'] => ({
  text,
  calls: [1, 0],
  by: 'primary',
  withinSeconds,
});
const error = (codes: readonly [string, string], calls: number, withinSeconds: number): Scenario['expected'] => ({
  text: null,
  codes,
  calls: [calls, 0],
  withinSeconds,
});

/** Who answered is paid, who failed is not, and the client is told the same numbers. */
const misbooked = ({ seen, primary, fallback }: Outcome): readonly string[] => {
  const bills = [...primary, ...fallback].flatMap(({ bill }) => (bill ? [bill] : []));
  const booked = fallback[0]?.bill;
  const tokens = booked ? booked.promptTokens + booked.completionTokens : null;
  return [
    ...(seen.tokens === tokens && tokens !== null
      ? []
      : [`${String(seen.tokens)} tokens instead of ${String(tokens)}`]),
    ...(bills[0]?.costMicroUsd === 0 ? [] : ['the failed call was billed']),
  ];
};

const check = (name: string, actual: unknown, expected: unknown): string[] =>
  actual === expected ? [] : [`${name}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`];

/** What broke off was shown to nobody at the plain door of `/v1`: the next model begins anew, and answers alone. */
const anewAtPlain = ({ door, seen, fallback: [call] }: Outcome): readonly string[] => {
  if (door !== 'v1-plain') return [];
  const tokens = call?.bill ? call.bill.promptTokens + call.bill.completionTokens : null;
  return [
    ...(call?.messages.length === 1 ? [] : ['the next model was not asked what the first was']),
    ...check('model', seen.model, call?.model),
    ...check('tokens', seen.tokens, tokens),
  ].map((problem) => `begun anew: ${problem}`);
};

/** The numbers are those of scenarios/catalogue.yaml of failoverbench 0.1; S15 is a sequence and has a test of its own. */
export const SCENARIOS: readonly Scenario[] = [
  {
    id: 'S01',
    title: '429 with Retry-After',
    primary: 'once:429-retry-after:2',
    fallback: OK,
    expected: toFallback(20),
  },
  {
    id: 'S01 alone',
    title: '429 with Retry-After and nobody else: asked again when it said',
    primary: 'once:429-retry-after:2',
    fallback: null,
    expected: again(20),
    also: (outcome) => (gapMs(outcome) >= 1800 ? [] : [`asked again after ${String(gapMs(outcome))} ms`]),
  },
  {
    id: 'S02',
    title: '429 without Retry-After, always',
    primary: '429-upstream',
    fallback: OK,
    expected: toFallback(40),
  },
  {
    id: 'S02 alone',
    title: '429 without Retry-After and nobody else',
    primary: '429-upstream',
    fallback: null,
    expected: error(UNAVAILABLE, 1, 40),
  },
  { id: 'S03', title: '500 once', primary: 'once:500', fallback: OK, expected: toFallback(20) },
  { id: 'S03 alone', title: '500 once and nobody else', primary: 'once:500', fallback: null, expected: again(20) },
  { id: 'S04', title: '503 always', primary: '503', fallback: OK, expected: toFallback(40) },
  {
    id: 'S04 alone',
    title: '502 always and nobody else',
    primary: '502',
    fallback: null,
    expected: error(UNAVAILABLE, 2, 40),
  },
  { id: 'S05', title: 'reset before headers', primary: 'reset-before-headers', fallback: OK, expected: toFallback(20) },
  {
    id: 'S05 alone',
    title: 'reset before headers once and nobody else',
    primary: 'once:reset-before-headers',
    fallback: null,
    expected: again(20),
  },
  { id: 'S06', title: 'no response at all', primary: 'stall-headers', fallback: OK, expected: toFallback(100) },
  {
    id: 'S06 alone',
    title: 'no response at all and nobody else: asked once',
    primary: 'stall-headers',
    fallback: null,
    expected: error(['LLM_TIMEOUT', 'timeout'], 1, 100),
  },
  {
    id: 'S07',
    title: 'first token after 20 s',
    primary: 'slow-first-token:20s',
    fallback: OK,
    expected: toFallback(15),
  },
  {
    id: 'S08',
    title: 'stream cut mid-answer',
    primary: 'cut-after:12',
    fallback: OK,
    expected: { text: WHOLE, calls: [1, 1], withinSeconds: 40 },
    also: anewAtPlain,
  },
  {
    id: 'S09',
    title: 'stream stalls',
    primary: 'stall-mid:12',
    fallback: OK,
    expected: { text: WHOLE, calls: [1, 1], withinSeconds: 45 },
    also: anewAtPlain,
  },
  { id: 'S10', title: 'malformed event', primary: 'malformed', fallback: OK, expected: inPlace('word1 word2', 30) },
  {
    id: 'S10 many',
    title: 'malformed events, too many to trust the answer',
    primary: 'malformed:4',
    fallback: OK,
    expected: { text: WHOLE, calls: [1, 1], withinSeconds: 30 },
    also: anewAtPlain,
  },
  { id: 'S11', title: 'no [DONE]', primary: 'no-done', fallback: OK, expected: inPlace(EIGHT, 8) },
  {
    id: 'S12',
    title: 'context too long, and a larger model',
    primary: '400-context',
    fallback: OK,
    fallbackWindow: 1_000_000,
    expected: toFallback(20),
  },
  {
    id: 'S12 alone',
    title: 'context too long, and no larger model',
    primary: '400-context',
    fallback: OK,
    expected: error(['CONTEXT_TOO_LONG', 'context_length_exceeded'], 1, 20),
  },
  {
    id: 'S13',
    title: 'content policy',
    primary: '400-policy',
    fallback: OK,
    expected: error(['MODEL_REFUSED', 'model_refused'], 1, 20),
  },
  {
    id: 'S14',
    title: 'cut, and the next model takes no prefill',
    primary: 'cut-after:12',
    fallback: 'noprefill:20',
    expected: { text: WHOLE, calls: [1, 1], withinSeconds: 40 },
    also: (outcome) => [
      ...(outcome.fallback[0]?.lastRole === 'user' ? [] : ['it was sent a prefill']),
      ...anewAtPlain(outcome),
    ],
  },
  {
    id: 'S14 masked',
    title: 'an error, and another of the next model: the first is told',
    primary: 'html',
    fallback: '404',
    expected: { text: null, codes: ['LLM_FAILED', 'bad_gateway'], calls: [1, 1], withinSeconds: 40 },
  },
  {
    id: 'S16',
    title: 'whose name and usage are told',
    primary: '503',
    fallback: OK,
    expected: toFallback(40),
    also: misbooked,
  },
];

/** What an outcome lacks of what its scenario wants. */
export const shortcomingsOf = (
  scenario: Scenario,
  outcome: Outcome,
  slugs: readonly [string, string],
): readonly string[] => {
  const { seen, door, primary, fallback } = outcome;
  const { text, codes, calls, by, withinSeconds } = scenario.expected;
  const [native, openAi] = codes ?? [null, null];
  return [
    ...check('state', seen.state, text === null ? 'refused' : 'complete'),
    ...check('text', seen.text, text ?? ''),
    ...check('code', seen.code, door.startsWith('v1') ? openAi : native),
    ...check('calls', `${String(primary.length)}+${String(fallback.length)}`, calls.join('+')),
    ...(by === undefined ? [] : check('model', seen.model, by === 'primary' ? slugs[0] : slugs[1])),
    ...(text === null ? [] : check('has usage', seen.tokens !== null, true)),
    ...check('in time', seen.ms < withinSeconds * 1000, true),
    ...check('final states', seen.ends, 1),
    ...(scenario.also?.(outcome) ?? []),
  ].map((problem) => `${scenario.id} at ${door}: ${problem}`);
};
