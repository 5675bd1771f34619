import { createHash } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { requestContext } from '../../lib/requestContext.ts';
import { preview, shorten } from '../../lib/text.ts';
import type { Chat, Message, Turn } from '../../models/entities.ts';
import { ChatFullError, MissingReferenceError } from '../../models/errors.ts';
import type { NewTurn, StoredTurn, Stores } from '../../models/stores.ts';
import type { SendMessage } from '../../schemas/chat.schemas.ts';
import type { Actor } from '../auth/actor.ts';
import type { ContextService } from '../context/index.ts';
import type { EventBus } from '../events.ts';
import { enforceLimit, userKey, type Limiter } from '../limits/index.ts';
import type { RepliesService, ReplyHandle } from '../replies/index.ts';
import type { ChatRules } from './chatRules.ts';

export interface SentMessage {
  readonly chat: Chat;
  readonly userMessage: Message;
  readonly reply: ReplyHandle;
  readonly clientMessageId: string;
  /** Whether this message had been sent before: then nothing was stored and nothing was started. */
  readonly duplicate: boolean;
}

export interface SendMessageOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly rules: ChatRules;
  readonly replies: RepliesService;
  readonly context: Pick<ContextService, 'checkFits'>;
  readonly limiter: Limiter;
  readonly events: EventBus;
  readonly isClosing: () => boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Characters of a title made from a first message. */
const TITLE_CHARS = 60;
/** Replies that may wait in a chat behind the one that runs, the new one included. */
const MAX_WAITING = 3;

/** What makes two sends the same message: not model, stream or door, so that a retry may change those. */
const fingerprintOf = ({ content, chatId, parentId }: SendMessage): string =>
  createHash('sha256')
    .update(JSON.stringify([content, chatId ?? null, parentId === undefined ? [] : parentId]))
    .digest('base64url');

/**
 * Stores a message with the empty reply to it, and starts the reply. Resolves when both are durable.
 * The same `clientMessageId` again re-attaches to the first send, whatever became of it.
 * @throws AppError `VALIDATION_FAILED`, `MODEL_NOT_AVAILABLE`, `CONTEXT_TOO_LONG`, `SYSTEM_PROMPT_NOT_ALLOWED`,
 *   `CHAT_NOT_FOUND`, `MESSAGE_NOT_FOUND`, `IDEMPOTENCY_CONFLICT`, `CHAT_BUSY`, `RATE_LIMITED`, `SHUTTING_DOWN`,
 *   `STORE_UNAVAILABLE`; nothing is stored then
 */
export type SendMessageUseCase = (actor: Actor, input: SendMessage) => Promise<SentMessage>;

export const createSendMessage = (options: SendMessageOptions): SendMessageUseCase => {
  const { stores, rules, replies, context, limiter, events, clock, metrics } = options;

  /** Everything that can refuse a message which is not known yet. */
  const admit = async (actor: Actor, input: SendMessage): Promise<void> => {
    if (options.isClosing()) throw new AppError('SHUTTING_DOWN', { retryAfterMs: 1000 });
    rules.checkModel(input.model);
    rules.checkSystemPrompt(input.systemPrompt);
    await context.checkFits(input.systemPrompt ?? null, input.content);
    await enforceLimit(limiter, userKey(actor.userId));
  };

  const newTurn = (actor: Actor, input: SendMessage, clientMessageId: string): NewTurn => ({
    ownerId: actor.ownerId,
    createdBy: actor.userId,
    clientMessageId,
    fingerprint: fingerprintOf(input),
    chatId: input.chatId ?? newId(),
    newChat:
      input.chatId === undefined
        ? {
            title: shorten(input.content, TITLE_CHARS) || 'New chat',
            model: null,
            systemPrompt: input.systemPrompt ?? null,
          }
        : null,
    parentId: input.parentId,
    userMessage: { id: newId(), content: input.content },
    reply: { id: newId(), model: input.model === 'auto' ? null : (input.model ?? null) },
    lease: replies.lease(),
    maxUnfinished: input.whenBusy === 'reject' ? 0 : MAX_WAITING,
    preview: preview(input.content),
    at: new Date(clock.now()),
  });

  const store = async (turn: NewTurn): Promise<StoredTurn> => {
    try {
      return await stores.messages.appendTurn(turn);
    } catch (error) {
      if (error instanceof MissingReferenceError) {
        throw new AppError(error.what === 'chat' ? 'CHAT_NOT_FOUND' : 'MESSAGE_NOT_FOUND', { cause: error });
      }
      if (error instanceof ChatFullError) throw new AppError('CHAT_BUSY', { cause: error, retryAfterMs: 1000 });
      throw error;
    }
  };

  const reattach = (known: StoredTurn, input: SendMessage, clientMessageId: string): SentMessage => {
    if (known.fingerprint !== fingerprintOf(input)) throw new AppError('IDEMPOTENCY_CONFLICT');
    if (!known.turn)
      throw new AppError('MESSAGE_NOT_FOUND', { detail: 'The message was sent before and deleted since' });
    const { chat, userMessage, reply } = known.turn;
    return { chat, userMessage, reply: replies.handle(reply, clientMessageId), clientMessageId, duplicate: true };
  };

  /** A prompt sent into a chat becomes the chat's, from this message on. */
  const applySystemPrompt = async (turn: Turn, input: SendMessage): Promise<Turn> => {
    if (input.systemPrompt === undefined || input.systemPrompt === turn.chat.systemPrompt) return turn;
    const { ownerId, id } = turn.chat;
    const chat = await stores.chats.updateChat(
      ownerId,
      id,
      { systemPrompt: input.systemPrompt },
      new Date(clock.now()),
    );
    return { ...turn, chat: chat ?? turn.chat };
  };

  const begin = async (stored: Turn, input: SendMessage, clientMessageId: string): Promise<SentMessage> => {
    const turn = await applySystemPrompt(stored, input);
    const { chat, userMessage } = turn;
    const { ownerId } = chat;
    if (input.chatId === undefined) events.publish('chatCreated', { ownerId, chat });
    events.publish('messageStored', { ownerId, message: userMessage, chat });
    metrics.chatMessage('user', 'none');
    const reply = replies.start(turn, clientMessageId);
    return { chat, userMessage, reply, clientMessageId, duplicate: false };
  };

  /** The first send under the same id, if there was one. */
  const findKnown = async (actor: Actor, input: SendMessage): Promise<SentMessage | null> => {
    const id = input.clientMessageId;
    if (id === undefined) return null;
    const known = await stores.messages.findTurn(actor.ownerId, id);
    return known && reattach(known, input, id);
  };

  /** `whenBusy: interrupt`: ends what runs or waits in the chat, so that this message is next. */
  const interrupt = async (actor: Actor, chatId: string): Promise<void> => {
    const unfinished = await stores.messages.listUnfinished(actor.ownerId, chatId);
    await Promise.all(unfinished.map((message) => replies.stop(message)));
  };

  /** Lets a message in; or, if it is known, gives its first send, even where a new one would be refused. */
  const admitOrFind = async (actor: Actor, input: SendMessage): Promise<SentMessage | null> => {
    try {
      await admit(actor, input);
      return null;
    } catch (refusal) {
      const known = await findKnown(actor, input);
      if (known) return known;
      throw refusal;
    }
  };

  /** With `interrupt`: ends what runs in the chat; unless the message is known, or a repetition would end its own reply. */
  const interruptOrFind = async (actor: Actor, input: SendMessage): Promise<SentMessage | null> => {
    if (input.whenBusy !== 'interrupt' || input.chatId === undefined) return null;
    const known = await findKnown(actor, input);
    if (known) await limiter.undo(userKey(actor.userId));
    else await interrupt(actor, input.chatId);
    return known;
  };

  const storeAndBegin = async (actor: Actor, input: SendMessage): Promise<SentMessage> => {
    const clientMessageId = input.clientMessageId ?? newId();
    const stored = await store(newTurn(actor, input, clientMessageId));
    if (!stored.created || !stored.turn) {
      await limiter.undo(userKey(actor.userId));
      return reattach(stored, input, clientMessageId);
    }
    requestContext.set({ chatId: stored.turn.chat.id });
    return begin(stored.turn, input, clientMessageId);
  };

  return async (actor, input) => {
    rules.checkContent(input.content);
    if (typeof input.parentId === 'string' && input.chatId === undefined) {
      throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'chatId', message: 'is needed with parentId' }] });
    }
    return (await admitOrFind(actor, input)) ?? (await interruptOrFind(actor, input)) ?? storeAndBegin(actor, input);
  };
};
