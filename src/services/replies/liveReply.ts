import type { Chat, Message } from '../../models/entities.ts';
import type { ReplyEvent } from '../../schemas/events.ts';
import type { ReplyHandle, SettledReply } from './reply.ts';
import { lastEventOf } from './replyEvents.ts';

/** Why a generation is ended from outside; the reason of its abort signal. */
export type StopReason = 'stopped' | 'deleted' | 'shutdown' | 'lease-lost';

export class ReplyStopped extends Error {
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`reply ended: ${reason}`);
    this.name = 'ReplyStopped';
    this.reason = reason;
  }
}

/** What a slow follower may have of it at once. */
const MAX_REASONING_EVENTS = 100;

interface Follower {
  /** There is something new to see. */
  wake(): void;
  /** Something that is told only to those who are here now. */
  hear(event: ReplyEvent): void;
}

/** What happened at a point of the text and is told there: which model writes on. */
interface Mark {
  readonly at: number;
  readonly event: ReplyEvent;
}

/**
 * A reply while this node generates it. Text comes in two steps: `append` takes what the model sent, `show` makes it
 * visible once it is stored; followers see visible text only, each at its own pace, so that a slow one costs no queue.
 */
export interface LiveReply extends ReplyHandle {
  readonly ownerId: string;
  readonly clientMessageId: string;
  readonly chat: Chat;
  readonly signal: AbortSignal;
  /** Takes text from the model, whole surrogate pairs at a time; it is not visible yet. */
  append(text: string): void;
  /** Text that is not visible yet, and the offset where it begins. */
  unshown(): { readonly offset: number; readonly text: string };
  /** Makes the next `length` units visible. */
  show(length: number): void;
  /** All text so far, visible or not. */
  fullText(): string;
  /** The model that writes from here on; the first call lets followers see `start`. */
  setModel(model: string, reason: string): void;
  /** Live only: in no offset, not stored. */
  reasoning(text: string): void;
  /** The store has moved the reply on: its copy here gets that status, the next `rev` and the time. */
  advance(status: 'pending' | 'streaming', at: Date): void;
  /** Ends the generation; the first reason counts. */
  stop(reason: StopReason): void;
  /** The reply is final: followers get its last event and `done` resolves. */
  settle(settled: SettledReply): void;
  /** The end could not be stored: followers are let go without a last event, and find it when they come back. */
  abandon(unsettled: SettledReply): void;
}

export interface LiveReplyOptions {
  readonly chat: Chat;
  readonly reply: Message;
  readonly clientMessageId: string;
}

export const createLiveReply = ({ chat, reply, clientMessageId }: LiveReplyOptions): LiveReply => {
  const base = { chatId: reply.chatId, messageId: reply.id };
  const controller = new AbortController();
  const { promise: done, resolve: resolveDone } = Promise.withResolvers<SettledReply>();
  const marks: Mark[] = [];
  const followers = new Set<Follower>();
  let text = reply.content;
  let visible = text.length;
  let model: string | null = null;
  let settled: SettledReply | null = null;
  let isAbandoned = false;
  /** The message as the store has moved it on since. */
  let stored = reply;

  const startEvent = (startModel: string | null): ReplyEvent => ({
    ...base,
    type: 'start',
    userMessageId: reply.parentId ?? '',
    clientMessageId,
    model: startModel,
  });

  const wake = (): void => {
    for (const follower of followers) follower.wake();
  };

  const current = (): Message =>
    settled?.message ?? {
      ...stored,
      content: text.slice(0, visible),
      model: model ?? reply.model,
    };

  /** What a follower at `position` may see now, and where it is afterwards. */
  const eventsFrom = (position: { offset: number; mark: number }): ReplyEvent[] => {
    const events: ReplyEvent[] = [];
    const showTo = (end: number): void => {
      if (end <= position.offset) return;
      events.push({ ...base, type: 'delta', offset: position.offset, text: text.slice(position.offset, end) });
      position.offset = end;
    };
    for (let mark = marks[position.mark]; mark && mark.at <= visible; mark = marks[(position.mark += 1)]) {
      if (mark.at >= position.offset) {
        showTo(mark.at);
        events.push(mark.event);
      }
    }
    showTo(visible);
    return events;
  };

  /** Someone else may have settled the reply, with less text than was told here. */
  function* endFrom(position: number, message: Message): Generator<ReplyEvent> {
    const { length } = message.content;
    if (position > length) yield { ...base, type: 'reset', length };
    yield lastEventOf(message);
  }

  async function* follow(offset: number, signal: AbortSignal): AsyncGenerator<ReplyEvent> {
    const position = { offset: Math.min(offset, visible), mark: 0 };
    const live: ReplyEvent[] = [];
    let wakeUp = Promise.withResolvers<unknown>();
    const wakeFollower = (): void => wakeUp.resolve(null);
    const follower: Follower = {
      wake: wakeFollower,
      // Best effort: who does not keep up does without.
      hear: (event) => {
        if (live.length < MAX_REASONING_EVENTS) live.push(event);
        wakeFollower();
      },
    };
    followers.add(follower);
    signal.addEventListener('abort', wakeFollower);
    try {
      if (offset > visible) yield { ...base, type: 'reset', length: visible };
      while (!signal.aborted) {
        wakeUp = Promise.withResolvers();
        yield* live.splice(0);
        yield* eventsFrom(position);
        if (settled && position.offset >= settled.message.content.length) {
          yield* endFrom(position.offset, settled.message);
          return;
        }
        if (isAbandoned) return;
        if (position.offset < visible || live.length > 0) continue;
        await wakeUp.promise;
      }
    } finally {
      followers.delete(follower);
      signal.removeEventListener('abort', wakeFollower);
    }
  }

  return {
    messageId: reply.id,
    chatId: reply.chatId,
    ownerId: reply.ownerId,
    clientMessageId,
    chat,
    signal: controller.signal,
    done: () => done,
    current,
    follow,
    append: (more) => {
      text += more.toWellFormed();
    },
    unshown: () => ({ offset: visible, text: text.slice(visible) }),
    show: (length) => {
      visible += length;
      wake();
    },
    fullText: () => text,
    setModel: (next, reason) => {
      if (next === model) return;
      const at = text.length;
      const event: ReplyEvent =
        model === null ? startEvent(next) : { ...base, type: 'switch', from: model, to: next, offset: at, reason };
      model = next;
      marks.push({ at, event });
      wake();
    },
    reasoning: (more) => {
      for (const follower of followers) follower.hear({ ...base, type: 'reasoning', text: more });
    },
    advance: (next, at) => {
      stored = { ...stored, status: next, rev: stored.rev + 1, updatedAt: at };
    },
    stop: (reason) => {
      controller.abort(new ReplyStopped(reason));
    },
    settle: (end) => {
      if (settled) return;
      settled = end;
      if (model === null) marks.push({ at: 0, event: startEvent(end.message.model) });
      text = end.message.content;
      visible = text.length;
      wake();
      resolveDone(end);
    },
    abandon: (unsettled) => {
      isAbandoned = true;
      wake();
      resolveDone(unsettled);
    },
  };
};
