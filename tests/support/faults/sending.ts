import { randomUUID } from 'node:crypto';
import { FINAL_STATUSES } from '../../../src/models/entities.ts';
import type { Entry } from './history.ts';

/** An answer that a repetition would not change; anything else that goes wrong is tried again. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Codes that say: the same again, later. */
const RETRYABLE = new Set(['SHUTTING_DOWN', 'STORE_UNAVAILABLE', 'RATE_LIMITED', 'CHAT_BUSY']);

/** What a client makes of a problem: reason to try again, or to give up. */
export const toError = (problem: { code?: string } | undefined): Error => {
  const code = problem?.code ?? 'no code';
  return RETRYABLE.has(code) ? new Error(code) : new Refusal(code);
};

interface Ids {
  readonly chatId: string;
  readonly userMessageId: string;
  readonly messageId: string;
}

/** One message of a client, from the first try to the end of its reply: what the client knows and holds of it. */
export interface Sending {
  /** What is sent, the same at every try. */
  readonly body: { readonly clientMessageId: string; readonly content: string; readonly chatId?: string | undefined };
  readonly ids: Ids | null;
  /** The reply's text so far, put together by the contract's rules. */
  readonly held: string;
  /** Resolves when the whole reply is there. */
  readonly over: Promise<unknown>;
  readonly isOver: boolean;
  onAck(ids: Ids): void;
  /** False: text is missing before it, so that the client must ask again from `held.length`. */
  onDelta(delta: { readonly offset: number; readonly text: string }): boolean;
  onReset(length: number): void;
  /** False: text is missing. */
  onEnd(end: { readonly status: string; readonly length: number }): boolean;
  /** The reply as a whole, as JSON answers have it. */
  onMessage(message: { readonly status: string; readonly content: string }): void;
}

export const createSending = (
  given: {
    readonly content: string;
    readonly chatId?: string | undefined;
    readonly clientMessageId?: string | undefined;
  },
  record: (entry: Entry) => void,
): Sending => {
  const over = Promise.withResolvers<null>();
  const body = { ...given, clientMessageId: given.clientMessageId ?? randomUUID() };
  let ids: Ids | null = null;
  let held = '';
  let isOver = false;
  const messageId = (): string => ids?.messageId ?? '';

  const onDelta: Sending['onDelta'] = ({ offset, text }) => {
    record({ kind: 'shown', messageId: messageId(), offset, text });
    if (offset > held.length) return false;
    held += text.slice(held.length - offset);
    return true;
  };
  const onEnd: Sending['onEnd'] = ({ status, length }) => {
    const isWhole = held.length >= length;
    record({ kind: 'ended', messageId: messageId(), status, length, held: isWhole ? held : null });
    if (isWhole) {
      isOver = true;
      over.resolve(null);
    }
    return isWhole;
  };

  return {
    body,
    over: over.promise,
    get ids() {
      return ids;
    },
    get held() {
      return held;
    },
    get isOver() {
      return isOver;
    },
    onAck: ({ chatId, userMessageId, messageId: replyId }) => {
      ids = { chatId, userMessageId, messageId: replyId };
      record({ kind: 'acked', clientMessageId: body.clientMessageId, ...ids });
    },
    onDelta,
    onReset: (length) => {
      record({ kind: 'reset', messageId: messageId(), length });
      held = held.slice(0, length);
    },
    onEnd,
    onMessage: ({ status, content }) => {
      onDelta({ offset: 0, text: content });
      if ((FINAL_STATUSES as readonly string[]).includes(status)) onEnd({ status, length: content.length });
    },
  };
};
