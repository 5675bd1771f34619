import type { FailpointName } from '../../../src/lib/failpoints.ts';
import type { Random } from '../random.ts';
import type { Account, FaultWorld } from './faultWorld.ts';
import type { StoredMessage } from './checker.ts';
import { DOORS, type Door, type Entry } from './history.ts';

/** A step of a message's life, and what must be true of a message whose process died there. */
export interface KillPoint {
  readonly name: FailpointName;
  /** How often the step is passed before it kills; its number in the reliability catalogue is in docs/reliability.md. */
  readonly atHit: number;
  /** Whether the client may have been told anything before the death. */
  readonly mayBeAcked: boolean;
  /** What the reply may be in the end, after the client's retry. */
  readonly ends: readonly string[];
  /** How often the model may have been asked, all retries included. */
  readonly calls: readonly number[];
  /** Whether the reply's text must be there as a whole, or can only be empty, or may be any beginning of it. */
  readonly text: 'whole' | 'none' | 'part';
}

const ANY_TEXT = ['interrupted', 'complete'];

export const KILL_POINTS: readonly KillPoint[] = [
  // Nothing was stored: the retry is the first that the server knows of.
  { name: 'appendTurn.before', atHit: 1, mayBeAcked: false, ends: ['complete'], calls: [1], text: 'whole' },
  // Stored or not, told to nobody or not: no model was asked yet, so the retry starts the reply that was interrupted.
  { name: 'appendTurn.during', atHit: 1, mayBeAcked: false, ends: ['complete'], calls: [1], text: 'whole' },
  { name: 'appendTurn.after', atHit: 1, mayBeAcked: false, ends: ['complete'], calls: [1], text: 'whole' },
  { name: 'upstream.before', atHit: 1, mayBeAcked: true, ends: ['complete'], calls: [1], text: 'whole' },
  { name: 'startReply.before', atHit: 1, mayBeAcked: true, ends: ['complete'], calls: [1], text: 'whole' },
  { name: 'startReply.during', atHit: 1, mayBeAcked: true, ends: ANY_TEXT, calls: [0, 1], text: 'part' },
  // From here on the store says that a model may have been asked: it is never asked again.
  { name: 'startReply.after', atHit: 1, mayBeAcked: true, ends: ['interrupted'], calls: [0], text: 'none' },
  { name: 'upstream.firstToken', atHit: 1, mayBeAcked: true, ends: ['interrupted'], calls: [1], text: 'none' },
  { name: 'upstream.midStream', atHit: 40, mayBeAcked: true, ends: ['interrupted'], calls: [1], text: 'part' },
  { name: 'appendLog.before', atHit: 2, mayBeAcked: true, ends: ['interrupted'], calls: [1], text: 'part' },
  { name: 'appendLog.during', atHit: 2, mayBeAcked: true, ends: ['interrupted'], calls: [1], text: 'part' },
  { name: 'appendLog.after', atHit: 2, mayBeAcked: true, ends: ['interrupted'], calls: [1], text: 'part' },
  { name: 'settleReply.before', atHit: 1, mayBeAcked: true, ends: ['interrupted'], calls: [1], text: 'part' },
  { name: 'settleReply.during', atHit: 1, mayBeAcked: true, ends: ANY_TEXT, calls: [1], text: 'part' },
  { name: 'settleReply.after', atHit: 1, mayBeAcked: true, ends: ['complete'], calls: [1], text: 'whole' },
];

/** Where no model was asked yet. */
const BEFORE_ASKING: ReadonlySet<FailpointName> = new Set([
  'appendTurn.before',
  'appendTurn.during',
  'appendTurn.after',
  'upstream.before',
  'startReply.before',
]);

/** What one death at a point did, and what was wrong with that. */
export interface PointResult {
  readonly point: FailpointName;
  readonly door: Door;
  readonly problems: readonly string[];
}

const textProblem = (point: KillPoint, question: string, reply: StoredMessage): string | null => {
  if (point.text === 'none' && reply.content !== '') return 'there is text that nobody stored';
  if (point.text === 'whole' && reply.content !== question) return 'the text is not whole';
  return null;
};

const problemsOf = (point: KillPoint, question: string, found: { reply: StoredMessage; calls: number }): string[] => {
  const { reply, calls } = found;
  const problems = [
    point.ends.includes(reply.status) ? null : `the reply is ${reply.status}`,
    point.calls.includes(calls) ? null : `the model was asked ${String(calls)} times`,
    textProblem(point, question, reply),
  ];
  return problems.filter((problem) => problem !== null);
};

/** What the client may know at the moment of the death. */
const ackProblems = (point: KillPoint, entries: readonly Entry[], isAfterAck: boolean): string[] => {
  const isAcked = entries.some(({ kind }) => kind === 'acked');
  if (isAcked && !point.mayBeAcked) return ['it was acknowledged too early'];
  return isAfterAck && !isAcked ? ['it was not acknowledged in time'] : [];
};

/** How the point is armed: a write dies somewhere within its first two milliseconds, everything else on the spot. */
const armed = ({ name, atHit }: KillPoint, isAfterAck: boolean, random: Random): string => {
  const delayMs = name.endsWith('.during') ? (random.next() * 2).toFixed(2) : '0';
  return `${name}=${isAfterAck ? 'hang' : `kill:${delayMs}`}@${String(atHit)}`;
};

/** Words of each message: its reply takes about a second, so that even a slow database is asked to store some of it before its end. */
const WORDS = 150;
/** A machine that stands still for a second can let a reply pass a point that only comes in its midst. */
const TRIES = 3;

/**
 * Sends a message through a node that dies at the point; the client tries again until it has the whole reply from the
 * next process. Null when the reply was over before the process came to the point.
 */
const tryToDieAt = async (world: FaultWorld, account: Account, point: KillPoint): Promise<PointResult | null> => {
  const node = world.nodes[0]!;
  const door = world.random.pick(DOORS);
  // Whether a model is asked is decided after the ack: there the process must live until the client has it.
  const isAfterAck = point.name === 'upstream.before' && door === 'socket';
  await node.start({ PARLEY_FAILPOINTS: armed(point, isAfterAck, world.random) });
  // One that no model was asked for starts when the same is sent again; to resume it is to learn that it was interrupted.
  const client = world.client({ door, account, ...(BEFORE_ASKING.has(point.name) ? { repeats: 1 } : {}) });
  const question = world.text(WORDS);
  const sent = client.send(question);
  if (isAfterAck) {
    await world.histories.reach(world.histories.length + 1);
    await node.kill();
  }
  const isReached = await Promise.race([node.died().then(() => true), sent.then(() => false)]);
  const problems = ackProblems(point, client.history.entries, isAfterAck);
  await node.kill();
  await node.start();
  const outcome = await sent;
  client.close();
  const reply = (await world.stored()).get(account.name)?.find(({ id }) => id === outcome?.messageId);
  const calls = world.upstream.log.filter(({ messages }) => messages.at(-1)?.content === question).length;
  if (reply) problems.push(...problemsOf(point, question, { reply, calls }));
  else problems.push('there is no reply');
  await node.kill();
  return isReached ? { point: point.name, door, problems } : null;
};

const dieAt = async (world: FaultWorld, account: Account, point: KillPoint): Promise<PointResult> => {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const result = await tryToDieAt(world, account, point);
    if (result) return result;
  }
  return { point: point.name, door: 'json', problems: ['the point was never reached'] };
};

/** Dies at each of the points in turn, in one database. The node is up afterwards. */
export const dieAtEach = async (world: FaultWorld, points: readonly KillPoint[]): Promise<PointResult[]> => {
  const node = world.nodes[0]!;
  await node.start();
  const account = await world.signUp();
  await node.stop();
  const results: PointResult[] = [];
  for (const point of points) results.push(await dieAt(world, account, point));
  await node.start();
  return results;
};
