import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSimulator, listModes, type Simulator } from '../../src/services/llm/simulator/index.ts';
import { countedText, newcomerText, UNICODE_TEXT } from '../../src/services/llm/simulator/text.ts';
import { ask, type Answered } from '../support/simulatorClient.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await createSimulator({ tokenDelayMs: 0, config: { scale: 0.01, timings: 'fast' } });
});
afterAll(() => simulator.close());

/** One line about an answer: `200 stop "Hi"`, `429 rate_limit_exceeded`, `200 – "word1" ECONNRESET`. */
const outcomeOf = ({ status, frames, text, finishReason, broken, headers }: Answered): string => {
  const error = frames.map((frame) => frame?.error ?? frame?.choices?.[0]?.error).find((found) => found);
  const page = headers['content-type']?.startsWith('text/html') ? 'page' : null;
  const said = text === '' ? null : `"${text.length > 300 ? `${String(text.length)} characters` : text}"`;
  const facts = [status, error?.metadata?.error_type ?? error?.code ?? page, finishReason, said, broken];
  return facts.filter((fact) => fact !== null && fact !== undefined).join(' ');
};

const W = (words: number): string => `"${countedText(words)}"`;
const OK = `200 stop "${String(newcomerText([{ role: 'user', content: 'Hi there' }]).length)} characters"`;
const EIGHT = `200 stop ${W(8)}`;
const UNICODE = `200 stop "${UNICODE_TEXT}"`;

/** Each mode: what a stream and what a plain answer looks like; one text for both where it is the same. */
const EXPECTED: Readonly<Record<string, string | readonly [stream: string, plain: string]>> = {
  ok: OK,
  echo: '200 stop "Hi there"',
  'words:3': `200 stop ${W(3)}`,
  'slow:3': OK,
  'slow-first-token:2s': EIGHT,
  unicode: UNICODE,
  'ok-usage-old': EIGHT,
  'ok-usage-new': EIGHT,
  'ok-nostream': EIGHT,
  'ok-context:3': EIGHT,
  'ok-cached:3': EIGHT,
  reasoning: EIGHT,
  'tools:3': '200 tool_calls',
  'length:3': `200 length ${W(3)}`,
  'content_filter:3': `200 content_filter ${W(3)}`,
  'debug-first-chunk': EIGHT,
  'role-first': EIGHT,
  comments: `200 stop ${W(2)}`,
  crlf: UNICODE,
  'no-space': UNICODE,
  'multi-data-line': UNICODE,
  'event-name': UNICODE,
  bom: UNICODE,
  'no-done': EIGHT,
  'no-final-blank-line': EIGHT,
  'done-then-open-socket': [`200 stop ${W(8)} left`, EIGHT],
  'done-then-late-end:2s': EIGHT,
  'finish-then-open-socket': [`200 stop ${W(8)} left`, EIGHT],
  'done-glued-to-json': EIGHT,
  'utf8-split': UNICODE,
  'surrogate-split': UNICODE,
  coalesced: EIGHT,
  'slow-drip': `200 stop ${W(2)}`,
  'huge-chunk:3': '200 stop "3145728 characters"',
  gzip: UNICODE,
  '400': '400 invalid_request',
  '401': '401 authentication',
  '402': '402 payment_required',
  '403': '403 permission_denied',
  '404': '404 not_found',
  '408': '408 timeout',
  '413': '413 payload_too_large',
  '422': '422 unprocessable',
  '429:3': '429 rate_limit_exceeded',
  '500': '500 server',
  '502': '502 provider_unavailable',
  '503:3': '503 provider_overloaded',
  '504': '504 timeout',
  '524': '524 page',
  '529': '529 provider_overloaded',
  '400-context:3': '400 context_length_exceeded',
  '400-policy': '400 content_policy_violation',
  '400-models-limit': '400 invalid_request',
  '403-moderation': '403 permission_denied',
  '404-no-endpoints': '404 not_found',
  '404-free-ended': '404 not_found',
  '429-platform': '429 rate_limit_exceeded',
  '429-day': '429 rate_limit_exceeded',
  '429-upstream': '429 rate_limit_exceeded',
  '429-retry-after:date': '429 rate_limit_exceeded',
  '502-html': '502 page',
  '503-retry-after:3': '503 provider_overloaded',
  html: '200 page',
  '200-json-error': '200 provider_unavailable',
  'empty-body': '200',
  'truncated-json': '200',
  'wrong-content-type': '200',
  'reset-before-headers': 'ECONNRESET',
  'blank-200': '200',
  'reset-mid-chunk:3': [`200 ${W(3)} ECONNRESET`, 'ECONNRESET'],
  'fin-mid-chunk:3': [`200 ${W(3)} ECONNRESET`, 'ECONNRESET'],
  'cut-after:3': [`200 ${W(3)}`, '200'],
  'reset-after:3': [`200 ${W(3)} ECONNRESET`, 'ECONNRESET'],
  'stall-connect:2s': 'ECONNRESET',
  'stall-headers:2s': 'ECONNRESET',
  'stall-first-token:2s': ['200 ECONNRESET', 'ECONNRESET'],
  'stall-first-token-with-comments:2s': ['200 left', 'left'],
  'silence:2s': ['200 ECONNRESET', 'ECONNRESET'],
  'stall-mid:3': [`200 ${W(3)} left`, 'left'],
  'comments-mid:3': [`200 ${W(3)} left`, 'left'],
  'stall-then-resume:2s': EIGHT,
  'tools-cut': '200',
  'reasoning-cut': '200',
  'err-first-event': '200 provider_unavailable',
  'err-mid:3': `200 provider_unavailable error ${W(3)}`,
  'err-choice-only:3': `200 error ${W(3)}`,
  'err-string-code:3': `200 server error ${W(3)}`,
  'event-error:3': [`200 server_error ${W(3)}`, `200 server_error error ${W(3)}`],
  'malformed:3': [`200 stop ${W(2)}`, '200'],
  'malformed-first': [EIGHT, '200'],
  'dup-finish': EIGHT,
  'usage-missing': EIGHT,
  'empty-stream': '200',
  empty: '200 stop',
  whitespace: '200 stop " \n\n "',
  'repeat-loop': '200 stop "1200 characters"',
  'noprefill:3': `200 stop ${W(3)}`,
  'continue-no-anchor:3': `200 stop ${W(3)}`,
  'continue-whitespace:3': `200 stop ${W(3)}`,
  'refuse-continue:3': `200 stop ${W(3)}`,
  'once:500': ['500 server', OK],
  'down:1h': '503 provider_overloaded',
  'flap:1h,1h,500': '500 server',
  'concurrency:1': OK,
  'credits:3': '402 payment_required',
  'free-pool': OK,
};
const rows = Object.entries(EXPECTED).map(([mode, expected]) => {
  const [stream, plain] = typeof expected === 'string' ? [expected, expected] : expected;
  return [mode, stream, plain] as const;
});

describe('every mode', () => {
  test.each(rows)('%s, asked, answers a stream with %s and else with %s', async (mode, stream, plain) => {
    const outcome = async (isStream: boolean, expected: string) => {
      const patience = expected.endsWith('left') ? { patienceMs: 700 } : {};
      return outcomeOf(await ask(simulator, `sim/${mode}`, { stream: isStream, ...patience }));
    };
    expect([await outcome(true, stream), await outcome(false, plain)]).toEqual([stream, plain]);
  });

  test('of the list, looked up, is in the table above', () => {
    // `refuse` closes the port to the other rows; it has a test of its own in simulator.test.ts.
    const tested = new Set(['refuse', ...Object.keys(EXPECTED).map((mode) => mode.split(':', 1)[0]!)]);
    const listed = listModes().map(({ syntax }) => syntax.split(':', 1)[0]!);
    expect(listed.filter((name) => !tested.has(name))).toEqual([]);
    expect([...tested].filter((name) => !listed.includes(name))).toEqual([]);
  });
});
