import { once } from 'node:events';
import type { SimulatedAttempt } from '../../../src/services/llm/simulator/index.ts';
import { ask, nextEvent } from '../events.ts';
import { waitFor } from '../waitFor.ts';
import { startWorld, type TestUser, type World } from '../world.ts';
import { QUESTION } from './rows.ts';

/** How a client leaves. At `/v1` by closing its connection; a native reply outlives its clients, and is stopped. */
export const WAYS = [
  'v1 stream, between two tokens',
  'v1 stream, before the first token',
  'v1 stream, before the headers',
  'v1 plain',
  'v1 plain, between two tokens',
  'REST stop, between two tokens',
  'REST stop, before the first token',
  'chat:stop, between two tokens',
  'chat:stop, before the first token',
] as const;
export type Way = (typeof WAYS)[number];

export interface Leave {
  /** From the client's leaving to the upstream connection's end, in milliseconds. */
  readonly ms: number;
  /** All calls of both models. */
  readonly calls: number;
}

const modeOf = (way: Way): string => {
  if (way.includes('between')) return 'stall-mid:2';
  return way.includes('headers') ? 'stall-headers' : 'stall-first-token';
};

const isPlain = (way: Way): boolean => way.startsWith('v1 plain');

interface Trial {
  readonly world: World;
  readonly user: TestUser;
  readonly socket: Awaited<ReturnType<TestUser['connect']>>;
}

interface Begun {
  readonly world: World;
  readonly attempt: SimulatedAttempt;
  /** Null: the client has nothing before the end. */
  readonly response: Response | null;
}

/** Resolves when the first words have come as far as they come; the answer is a stall from then on. */
const readFirst = async ({ world, attempt: { model }, response }: Begun): Promise<void> => {
  if (response) await response.body?.getReader().read();
  const { metrics } = world.node.container;
  await waitFor(async () => (await metrics.value('llm_first_token_seconds', { model })) > 0);
};

/** Leaves a request at `/v1`. @returns when it was left */
const leaveOpenAi = async ({ world, user }: Trial, way: Way, model: string): Promise<number> => {
  const controller = new AbortController();
  const arrived = world.upstream.nextAttempt();
  const response = fetch(`${user.url}/v1/chat/completions`, {
    method: 'POST',
    signal: controller.signal,
    headers: { Authorization: `Bearer ${user.accessToken}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ model, stream: !isPlain(way), messages: [{ role: 'user', content: QUESTION }] }),
  });
  response.catch(() => undefined);
  const attempt = await arrived;
  if (way.includes('between')) await readFirst({ world, attempt, response: isPlain(way) ? null : await response });
  const leftAt = Date.now();
  controller.abort();
  return leftAt;
};

/** Stops a native reply. @returns when it was stopped */
const stopReply = async ({ world, user, socket }: Trial, way: Way, model: string): Promise<number> => {
  const arrived = world.upstream.nextAttempt();
  const shown = nextEvent(socket, 'chat:delta');
  const { messageId } = await ask(socket, 'chat:send', { model, content: QUESTION });
  await arrived;
  if (way.includes('between')) await shown;
  const leftAt = Date.now();
  if (way.startsWith('REST')) await user.call('POST', `/api/chat/messages/${String(messageId)}/stop`);
  else await ask(socket, 'chat:stop', { messageId });
  return leftAt;
};

/** Longer than any promise. */
const LATE_MS = 20_000;

const closed = async (attempt: SimulatedAttempt): Promise<number> => {
  await Promise.race([attempt.settled, once(AbortSignal.timeout(LATE_MS), 'abort')]);
  return attempt.abortedAt ?? Infinity;
};

/** Clients that leave, one after the other; each has two models of its own, and the second is well. */
export const runLeaves = async (way: Way, trials: number): Promise<readonly Leave[]> => {
  const pairs = Array.from({ length: trials }, (_, index) => [`f/${String(index)}`, `h/${String(index)}`] as const);
  const models = [...pairs.map(([faulty]) => faulty), ...pairs.map(([, healthy]) => healthy)];
  const world = await startWorld({
    models,
    env: { LLM_HEADERS_TIMEOUT: '60s', LLM_FIRST_TOKEN_TIMEOUT: '60s', LLM_IDLE_TIMEOUT: '60s' },
  });
  try {
    world.upstream.config({ modes: Object.fromEntries(pairs.map(([faulty]) => [faulty, modeOf(way)])) });
    const user = await world.signUp();
    const trial = { world, user, socket: await user.connect() };
    const leave = way.startsWith('v1') ? leaveOpenAi : stopReply;
    const leaves: Leave[] = [];
    for (const [faulty, healthy] of pairs) {
      const leftAt = await leave(trial, way, `${faulty},${healthy}`);
      const calls = world.upstream.log.filter(({ model }) => model === faulty || model === healthy);
      const closedAt = calls[0] ? await closed(calls[0]) : Infinity;
      leaves.push({ ms: closedAt - leftAt, calls: calls.length });
    }
    // None was asked after its client had left, however late.
    const total = world.upstream.log.length;
    return total === trials ? leaves : [...leaves, { ms: Infinity, calls: total }];
  } finally {
    await world.stop();
  }
};

/** The middle and the 99th of 100. */
export const spreadOf = (leaves: readonly Leave[]): { readonly p50: number; readonly p99: number } => {
  const sorted = leaves.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99) };
};
