import type { Chat, Message } from '../../models/entities.ts';
import type { ReplyEvent } from '../../schemas/events.ts';

/** A reply that is final and stored, with its chat as it was then. */
export interface SettledReply {
  readonly message: Message;
  readonly chat: Chat;
}

/** A reply as any number of clients follow it, while it grows and after. */
export interface ReplyHandle {
  readonly messageId: string;
  readonly chatId: string;
  /**
   * The events from `offset` (UTF-16 units that the client holds) on: what is missing, what is still to come, then one
   * `end` or `failed`, after which it returns. Starts with `start` when `offset` is 0. Ends early, without an error,
   * when the signal is aborted.
   */
  follow(offset: number, signal: AbortSignal): AsyncIterable<ReplyEvent>;
  /** What is known of the reply now: its status, and the text that clients may be shown. */
  current(): Message;
  /**
   * The reply once it is final. Never rejects because the generation failed: the status says so. When its end could not be
   * stored it is told as `interrupted` by `STORE_UNAVAILABLE`, and the reaper stores an end later.
   */
  done(): Promise<SettledReply>;
}
