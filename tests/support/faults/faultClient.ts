import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { ClientHistory, Door as DoorName, Entry } from './history.ts';
import { jsonAttempt, sseAttempt, type Attempt } from './httpDoors.ts';
import { createSending, Refusal, type Sending } from './sending.ts';
import { createSocketDoor } from './socketDoor.ts';

/** Milliseconds between two tries. */
const RETRY_MS = 25;
/** Far longer than any promise: a message whose reply is not there by then is stuck. */
const STUCK_MS = 120_000;

export interface FaultClientOptions {
  readonly door: DoorName;
  readonly token: string;
  readonly random: Random;
  readonly repeats: number;
  readonly history: ClientHistory;
  readonly record: (entry: Entry) => void;
  /** Where to send the next try; resolves when something listens there. */
  readonly target: () => Promise<string>;
}

export interface SendTo {
  readonly chatId?: string | undefined;
  /** Given: several clients send the same message. */
  readonly clientMessageId?: string | undefined;
}

/** What became of a message whose whole reply the client holds. */
export interface Outcome {
  readonly chatId: string;
  readonly messageId: string;
  readonly text: string;
}

/** A client as the contract wants it: tries again with the same id, resumes from what it holds, and writes down what it saw. */
export interface FaultClient {
  readonly history: ClientHistory;
  /** Null: it was refused, or is stuck; the history says so. */
  send(content: string, to?: SendTo): Promise<Outcome | null>;
  /** Breaks the connection that is open; the client goes on with the next try. */
  disconnect(): void;
  readonly close: () => void;
}

export const createFaultClient = (options: FaultClientOptions): FaultClient => {
  const { door, token, random, repeats, history, record, target } = options;
  const socket = createSocketDoor(record);
  const attempts: Record<DoorName, Attempt> = { json: jsonAttempt, sse: sseAttempt, socket: socket.attempt };

  /** Tries until the whole reply is there. @throws Refusal */
  let connection = new AbortController();
  const deliver = async (sending: Sending, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      try {
        const url = await target();
        connection = new AbortController();
        const either = AbortSignal.any([signal, connection.signal]);
        await attempts[door]({ url, token, random, repeats, record, signal: either }, sending);
      } catch (error) {
        if (error instanceof Refusal) throw error;
      }
      if (sending.isOver) return;
      await delay(RETRY_MS);
    }
    record({
      kind: 'stuck',
      clientMessageId: sending.body.clientMessageId,
      waitingFor: sending.ids ? 'its reply' : 'its ack',
    });
  };

  return {
    history,
    send: async (content, to = {}) => {
      const sending = createSending({ ...to, content }, record);
      const { clientMessageId } = sending.body;
      record({ kind: 'sent', clientMessageId, content, door });
      try {
        await deliver(sending, AbortSignal.timeout(STUCK_MS));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        record({ kind: 'refused', clientMessageId, code: error.code });
      }
      const { ids, held } = sending;
      return sending.isOver && ids ? { chatId: ids.chatId, messageId: ids.messageId, text: held } : null;
    },
    disconnect: () => {
      connection.abort();
      socket.close();
    },
    close: socket.close,
  };
};
