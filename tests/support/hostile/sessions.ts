import { openLine, type Line } from './eio.ts';
import type { Actor } from './actors.ts';
import { SOCKET_IO, RAW, type Frame } from './frames.ts';
import { INTERNALS, problemFault } from './restChecks.ts';
import type { Findings } from './tally.ts';

/** A connection of a hostile client. */
export interface Session {
  readonly write: (frame: Frame) => void;
  /**
   * Sends something valid behind all that was written, and waits for its answer and those that are due: connections are
   * read in order, so then the server has read everything.
   */
  readonly barrier: () => Promise<'read' | 'ended' | 'silent'>;
  readonly isOpen: () => boolean;
  /** The code and the reason of the end. */
  readonly end: () => string;
  readonly close: () => void;
}

export interface Door {
  readonly name: string;
  readonly table: typeof SOCKET_IO;
  readonly open: (actor: Actor) => Promise<Session>;
}

// What a server sends is looked at, whatever it is.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Answer = any;

/** What is wrong with an answer at a live door. */
const answerFault = (answer: Answer): string | null => {
  if (answer?.ok === true) return null;
  if (answer?.ok !== false) return 'an ack that is neither ok nor an error';
  const fault = problemFault(answer.error);
  if (fault !== null) return fault;
  if (answer.error.status >= 500) return `5xx (${String(answer.error.code)})`;
  return INTERNALS.test(JSON.stringify(answer.error)) ? 'internals in an error' : null;
};

const write = (line: Line, { messages, bytes }: Frame): void => {
  if (!line.isOpen()) return;
  if (bytes) line.writeBytes(bytes);
  for (const message of messages) line.ws.send(message);
};

interface Watching {
  readonly url: string;
  readonly findings: Findings;
  /** Ids of somebody else, which no answer repeats. */
  readonly foreignIds: readonly string[];
}

const look =
  (actor: Actor, name: string, { findings, foreignIds }: Watching) =>
  (text: string): void => {
    const canary = [...text.matchAll(/canary-[0-9a-f]{12}/g)].find(([found]) => found !== actor.canary);
    const isForeign = canary !== undefined || foreignIds.some((id) => text.includes(id));
    if (isForeign) findings.add(`${name}: somebody else’s data`, text.slice(0, 300));
  };

const endOf = (line: Line): string => {
  const { code = 0, reason = '' } = line.end() ?? {};
  return `${String(code)} ${reason}`.trim();
};

/** Bytes that begin a frame and do not end it take what comes next for the rest of it, which is right: no answer is due. */
const mayBeCut = ({ bytes }: Frame): boolean => bytes !== undefined;

const outcomeOf = (line: Line, answered: unknown): 'read' | 'ended' | 'silent' =>
  answered === null ? (line.isOpen() ? 'silent' : 'ended') : 'read';

const openSocketIo = async (actor: Actor, watching: Watching): Promise<Session> => {
  const { url, findings } = watching;
  const line = await openLine(`${url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`);
  const due = new Set<number>();
  let isCut = false;
  let lastBarrier = 1_000_000_000;
  const judge = (text: string): void => {
    const [, id = '', payload = 'null'] = /^43(\d+)(.*)$/s.exec(text) ?? [];
    // An odd id comes back as whatever number it was taken for.
    if (!due.delete(Number(id))) return;
    const args = JSON.parse(payload) as unknown[];
    const fault = args.length === 1 ? answerFault(args[0]) : `an ack of ${String(args.length)} arguments`;
    if (fault !== null) findings.add(`socket.io: ${fault}`, text.slice(0, 500));
  };
  line.onText(judge);
  line.onText(look(actor, 'socket.io', watching));
  line.onText((text) => {
    if (text === '2' && line.isOpen()) line.ws.send('3');
  });
  const joined = line.next((text) => (text.startsWith('40') || text.startsWith('44') ? text : null));
  line.ws.send(`40${JSON.stringify({ token: actor.token })}`);
  const answer = await joined;
  if (!answer?.startsWith('40')) throw new Error(`socket.io let nobody in: ${String(answer)}`);
  return {
    write: (frame) => {
      if (frame.ackId !== undefined) due.add(frame.ackId);
      isCut ||= mayBeCut(frame);
      write(line, frame);
    },
    barrier: async () => {
      if (!line.isOpen()) return 'ended';
      const id = (lastBarrier += 1);
      due.add(id);
      const done = line.next(() => (due.size === 0 ? true : null));
      line.ws.send(`42${String(id)}["chat:sessions",{"limit":1}]`);
      const outcome = outcomeOf(line, await done);
      if (outcome === 'silent' && !isCut) findings.add('socket.io: no ack in 30 s', [...due].join(', '));
      isCut = false;
      return outcome;
    },
    isOpen: line.isOpen,
    end: () => endOf(line),
    close: line.close,
  };
};

const openRaw = async (actor: Actor, watching: Watching): Promise<Session> => {
  const { url, findings } = watching;
  const line = await openLine(`${url.replace(/^http/, 'ws')}/api/chat/ws`, {
    Authorization: `Bearer ${String(actor.token)}`,
  });
  let due = 0;
  /** Since the last barrier, and what was answered to them: what to look at when an answer is missing. */
  let written: string[] = [];
  let answered: string[] = [];
  let isCut = false;
  line.onText((text) => {
    const frame = JSON.parse(text);
    if (!['ack', 'error', 'pong'].includes(frame.type)) return;
    due -= 1;
    answered.push(text.slice(0, 300));
    const fault = frame.type === 'error' ? answerFault({ ok: false, error: frame.error }) : null;
    if (fault !== null) findings.add(`websocket: ${fault}`, text.slice(0, 500));
  });
  line.onText(look(actor, 'websocket', watching));
  return {
    write: (frame) => {
      // What is written past the framing may be a message or none: its barrier alone tells.
      due += frame.messages.length;
      isCut ||= mayBeCut(frame);
      written.push(...frame.messages.map((message) => String(message).slice(0, 300)));
      write(line, frame);
    },
    barrier: async () => {
      if (!line.isOpen()) return 'ended';
      due += 1;
      const done = line.next(() => (due <= 0 ? true : null));
      line.ws.send('{"type":"ping","id":"barrier"}');
      const outcome = outcomeOf(line, await done);
      if (outcome === 'silent' && !isCut) {
        const sample = JSON.stringify({ due, written, answered });
        findings.add('websocket: a frame without an answer for 30 s', sample);
      }
      [due, written, answered, isCut] = [0, [], [], false];
      return outcome;
    },
    isOpen: line.isOpen,
    end: () => endOf(line),
    close: line.close,
  };
};

export const createDoors = (watching: Watching): readonly Door[] => [
  { name: 'socket.io', table: SOCKET_IO, open: (actor) => openSocketIo(actor, watching) },
  { name: 'websocket', table: RAW, open: (actor) => openRaw(actor, watching) },
];
