import type { Chat } from '../../models/entities.ts';
import type { NewTurn } from '../../models/stores.ts';
import type { WhenBusy } from '../../schemas/chat.schemas.ts';
import type { SendAck } from '../../schemas/control.schemas.ts';
import type { Limiter } from '../limits/index.ts';
import type { ReplyHandle } from '../replies/index.ts';
import type { SeenMessage } from './siblings.ts';

/** What every use case that begins a reply answers. */
export interface SentMessage {
  readonly chat: Chat;
  readonly userMessage: SeenMessage;
  readonly reply: ReplyHandle;
  /** The ids of all replies to the same message, in order of `seq`. */
  readonly replySiblings: readonly string[];
  readonly clientMessageId: string;
  /** Whether it had been asked for before: then nothing was stored. */
  readonly duplicate: boolean;
}

/** What a turn adds to its owner's chats. */
export interface TurnDraft extends Pick<NewTurn, 'chatId' | 'newChat' | 'parentId' | 'userMessage' | 'preview'> {
  /** Becomes the chat's, from this turn on. */
  readonly systemPrompt?: string | undefined;
  /** Whether another model may continue the reply when it breaks off; undefined: as configured. */
  readonly midStreamFailover?: boolean | undefined;
}

/** A turn that a use case wants: a send, another reply to a question, an edited question. */
export interface TurnPlan {
  readonly clientMessageId: string | undefined;
  /** Tells a repetition from something else under the same id; of another kind of turn, never the same. */
  readonly fingerprint: string;
  readonly model: string | undefined;
  readonly whenBusy: WhenBusy | undefined;
  /** Everything that can refuse the turn if it is not known yet; then, what to store. */
  readonly prepare: () => Promise<TurnDraft>;
  /** Replies that may wait in the chat behind the one that runs, this one included. */
  readonly maxWaiting?: number | undefined;
  /** Counts the turn against the limit of sends, unless it is known. @throws AppError `RATE_LIMITED` */
  readonly count?: ((limiter: Limiter, key: string) => Promise<void>) | undefined;
}

/** The model that a turn asks for; null: whichever is next. */
export const wantedModel = ({ model }: Pick<TurnPlan, 'model'>): string | null =>
  model === 'auto' ? null : (model ?? null);

/** What a client is told that does not wait for the reply. */
export const toSendAck = ({ chat, userMessage, reply, clientMessageId, duplicate }: SentMessage): SendAck => ({
  chatId: chat.id,
  userMessageId: userMessage.id,
  messageId: reply.messageId,
  clientMessageId,
  status: reply.current().status,
  duplicate,
});
