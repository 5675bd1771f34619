import { call } from '../http.ts';
import { createRandom } from '../random.ts';
import { createCasting } from './actors.ts';
import { readDocument } from './document.ts';
import { frameOf, type Frame, type FrameSource } from './frames.ts';
import { pollOnce } from './pollingDoor.ts';
import { portraitOf } from './portrait.ts';
import { createDoors, type Door, type Session } from './sessions.ts';
import { createCounts, createFindings, type Counts, type Findings } from './tally.ts';
import { createWitness } from './witness.ts';

export interface FrameOptions {
  readonly url: string;
  readonly seed: number;
  /** How many hostile frames the server is to read. */
  readonly frames: number;
  readonly onProgress?: (done: number) => void;
  readonly isAlive?: () => boolean;
}

export interface FrameReport {
  readonly findings: Findings;
  /** Hostile frames that the server has read, by door. */
  readonly read: Counts;
  /** Valid ones behind them whose answers show it. */
  readonly barriers: Counts;
  /** Frames behind one that ended the connection: nobody knows whether they were read, and they are not counted. */
  readonly unknown: Counts;
  readonly ended: Counts;
  readonly kinds: Counts;
  readonly fairSends: number;
  readonly slowestFairMs: number;
}

/** The fair user sends after so many frames. */
const FAIR_EVERY = 500;
const MAX_BURST = 20;
/** Connections at a time, at each WebSocket door. */
const SESSIONS = 2;
/** Of all frames. */
const SHARES: Readonly<Record<string, number>> = { 'socket.io': 0.56, websocket: 0.4, polling: 0.04 };

/** Frames that are sent at once: one that may end the connection has none beside it. */
const burstOf = (door: Door, source: FrameSource, held: Frame[]): Frame[] => {
  if (held.length > 0) return held.splice(0);
  const burst: Frame[] = [];
  while (burst.length < MAX_BURST) {
    const frame = frameOf(door.table, source);
    if (frame.mayEnd) {
      if (burst.length > 0) held.push(frame);
      else burst.push(frame);
      return burst;
    }
    burst.push(frame);
    if (source.random.isTrue(0.1)) return burst;
  }
  return burst;
};

interface Shared extends Pick<FrameReport, 'findings' | 'read' | 'barriers' | 'unknown' | 'ended' | 'kinds'> {
  readonly url: string;
  readonly isOver: (door: string) => boolean;
  readonly onRead: () => void;
}

interface Play {
  readonly session: Session;
  readonly burst: readonly Frame[];
  /** The last frame of the burst before, on the same connection. */
  readonly before: Frame | undefined;
}

const playBurst = async (door: Door, { session, burst, before }: Play, shared: Shared): Promise<void> => {
  for (const frame of burst) session.write(frame);
  const outcome = await session.barrier();
  for (const { kind } of burst) shared.kinds.add(`${door.name}: ${kind}`);
  if (outcome === 'read') {
    shared.read.add(door.name, burst.length);
    shared.barriers.add(door.name);
    return;
  }
  session.close();
  if (outcome === 'silent') return;
  // Of several, at least the one that ended the connection.
  shared.read.add(door.name);
  shared.unknown.add(door.name, burst.length - 1);
  // Who leaves the namespace still gets the answers that were due; what comes behind them ends the connection.
  const cause = [before, ...burst].findLast((frame) => frame?.mayEnd);
  shared.ended.add(`${door.name} ${session.end()}: ${cause?.kind ?? ''}`);
  if (!cause) shared.findings.add(`${door.name}: ended by frames that should end nothing`, JSON.stringify(burst));
};

const play = async (door: Door, source: FrameSource, shared: Shared): Promise<void> => {
  let session: Session | null = null;
  let before: Frame | undefined;
  const held: Frame[] = [];
  while (!shared.isOver(door.name)) {
    if (!session?.isOpen()) {
      session = await door.open(source.actor);
      before = undefined;
    }
    const burst = burstOf(door, source, held);
    await playBurst(door, { session, burst, before }, shared);
    before = burst.at(-1);
    shared.onRead();
  }
  session?.close();
};

const poll = async (source: FrameSource, shared: Shared): Promise<void> => {
  const { url, findings, read } = shared;
  while (!shared.isOver('polling')) read.add('polling', await pollOnce(url, { source, findings, max: 20 }));
};

/**
 * Sends hostile frames to the live doors of a server. A frame counts when a valid one behind it on the same connection was
 * answered, when it ended the connection, or, over polling, when its request was answered.
 */
export const runFrames = async (options: FrameOptions): Promise<FrameReport> => {
  const { url, seed, frames, onProgress, isAlive = () => true } = options;
  const document = readDocument((await call(`${url}/openapi.json`)).body);
  const casting = createCasting(url);
  const findings = createFindings();
  const counts = {
    read: createCounts(),
    barriers: createCounts(),
    unknown: createCounts(),
    ended: createCounts(),
    kinds: createCounts(),
  };
  const bystander = await casting.make('user');
  const before = await portraitOf(casting, bystander);
  const witness = await createWitness(url, await casting.make('user'), findings);
  let nextFair = 0;
  let fair = Promise.resolve();
  const total = (): number => counts.read.entries().reduce((sum, [, count]) => sum + count, 0);
  const onRead = (): void => {
    if (total() < nextFair) return;
    nextFair += FAIR_EVERY;
    onProgress?.(total());
    fair = fair.then(() => witness.send());
  };
  const shared: Shared = {
    ...counts,
    findings,
    url,
    onRead,
    isOver: (door) => counts.read.get(door) >= frames * (SHARES[door] ?? 0) || !isAlive(),
  };
  let lastAck = 0;
  const sourceOf = async (index: number): Promise<FrameSource> => ({
    random: createRandom(seed * 7919 + index),
    document,
    actor: await casting.make('user'),
    bystander,
    nextAckId: () => (lastAck += 1),
  });
  const players: Promise<void>[] = [];
  for (const door of createDoors({ url, findings, foreignIds: Object.values(bystander.ids).flat() })) {
    for (let n = 0; n < SESSIONS; n += 1) players.push(play(door, await sourceOf(players.length), shared));
  }
  players.push(poll(await sourceOf(players.length), shared));
  await Promise.all(players);
  await fair;
  await witness.send();
  witness.close();
  if (!isAlive()) findings.add('the server died', '');
  else if ((await portraitOf(casting, bystander)) !== before) findings.add('a bystander’s things were changed', before);
  return { ...counts, findings, fairSends: witness.sends(), slowestFairMs: witness.slowestMs() };
};
