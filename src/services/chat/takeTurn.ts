import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { requestContext } from '../../lib/requestContext.ts';
import type { Turn } from '../../models/entities.ts';
import { ChatFullError, MissingReferenceError, QuotaError } from '../../models/errors.ts';
import type { NewTurn, StoredTurn, Stores } from '../../models/stores.ts';
import type { Actor } from '../auth/actor.ts';
import type { EventBus } from '../events.ts';
import { actorKey, enforceLimit, type Limiter } from '../limits/index.ts';
import type { RepliesService } from '../replies/index.ts';
import type { UsageService } from '../usage/index.ts';
import type { ChatRules } from './chatRules.ts';
import { createKnownTurns } from './knownTurns.ts';
import type { SeenMessage, Siblings } from './siblings.ts';
import { wantedModel, type SentMessage, type TurnDraft, type TurnPlan } from './turnPlan.ts';

export interface TakeTurnOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly rules: ChatRules;
  readonly replies: RepliesService;
  readonly siblings: Siblings;
  readonly limiter: Limiter;
  readonly usage: Pick<UsageService, 'reservation' | 'refusal' | 'hold' | 'release'>;
  readonly events: EventBus;
  readonly isClosing: () => boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** Replies that may wait in a chat behind the one that runs, the new one included. */
const MAX_WAITING = 3;

/**
 * Stores a turn with the empty reply in it, and starts the reply. Resolves when both are durable.
 * The same `clientMessageId` again re-attaches to the first turn, whatever became of it; a reply that was interrupted
 * before any model was asked is started then.
 * @throws AppError `MODEL_NOT_AVAILABLE`, `CHAT_NOT_FOUND`, `MESSAGE_NOT_FOUND`, `IDEMPOTENCY_CONFLICT`, `CHAT_BUSY`,
 *   `RATE_LIMITED`, `QUOTA_EXCEEDED`, `SHUTTING_DOWN`, `STORE_UNAVAILABLE`, and what `prepare` throws; nothing is stored then
 */
export type TakeTurn = (actor: Actor, plan: TurnPlan) => Promise<SentMessage>;

export const createTakeTurn = (options: TakeTurnOptions): TakeTurn => {
  const { stores, rules, replies, siblings, limiter, usage, events, clock, metrics } = options;
  const known = createKnownTurns(options);
  const now = (): Date => new Date(clock.now());

  const newTurn = (actor: Actor, plan: TurnPlan, draft: TurnDraft): NewTurn => ({
    ownerId: actor.ownerId,
    createdBy: actor.userId,
    clientMessageId: plan.clientMessageId ?? newId(),
    fingerprint: plan.fingerprint,
    chatId: draft.chatId,
    newChat: draft.newChat,
    parentId: draft.parentId,
    userMessage: draft.userMessage,
    reply: { id: newId(), model: wantedModel(plan) },
    lease: replies.lease(),
    maxUnfinished: plan.whenBusy === 'reject' ? 0 : (plan.maxWaiting ?? MAX_WAITING),
    reservation: usage.reservation(
      actor.ownerId,
      (draft.userMessage?.content.length ?? 0) + (draft.systemPrompt?.length ?? 0),
    ),
    preview: draft.preview,
    at: now(),
  });

  const store = async (turn: NewTurn): Promise<StoredTurn> => {
    try {
      return await stores.messages.appendTurn(turn);
    } catch (error) {
      if (error instanceof MissingReferenceError) {
        throw new AppError(error.what === 'chat' ? 'CHAT_NOT_FOUND' : 'MESSAGE_NOT_FOUND', { cause: error });
      }
      if (error instanceof QuotaError) throw usage.refusal(error);
      if (error instanceof ChatFullError) throw new AppError('CHAT_BUSY', { cause: error, retryAfterMs: 1000 });
      throw error;
    }
  };

  /** A prompt sent into a chat becomes the chat's, from this message on. */
  const applySystemPrompt = async (turn: Turn, systemPrompt: string | undefined): Promise<Turn> => {
    if (systemPrompt === undefined || systemPrompt === turn.chat.systemPrompt) return turn;
    const { ownerId, id } = turn.chat;
    const chat = await stores.chats.updateChat(ownerId, id, { systemPrompt }, now());
    return { ...turn, chat: chat ?? turn.chat };
  };

  /** Without a parent the turn hangs on a leaf, where nothing else does: no need to look for siblings. */
  const seen = async ({ userMessage, reply }: Turn, { parentId }: TurnDraft): Promise<SeenMessage[]> => {
    if (parentId === undefined) return [];
    // The turn is stored: a reply that begins matters more than what stands beside it.
    return siblings.see([userMessage, reply]).catch(() => []);
  };

  const begin = async (stored: Turn, draft: TurnDraft, clientMessageId: string): Promise<SentMessage> => {
    const turn = await applySystemPrompt(stored, draft.systemPrompt);
    const { chat } = turn;
    const { ownerId } = chat;
    requestContext.set({ chatId: chat.id });
    const [userMessage = { ...turn.userMessage, siblings: [] }, newReply] = await seen(turn, draft);
    if (draft.newChat) events.publish('chatCreated', { ownerId, chat });
    if (draft.userMessage) {
      events.publish('messageStored', { ownerId, message: userMessage, chat });
      metrics.chatMessage('user', 'none');
    } else {
      events.publish('chatUpdated', { ownerId, chat });
    }
    const reply = replies.start(turn, clientMessageId, draft.midStreamFailover);
    return {
      chat,
      userMessage,
      reply,
      replySiblings: newReply?.siblings ?? [],
      clientMessageId,
      duplicate: false,
    };
  };

  /** What the turn reserved is kept until its reply has ended, or does not begin. */
  const beginReserved = async (stored: Turn, draft: TurnDraft, turn: NewTurn): Promise<SentMessage> => {
    const { id } = turn.reply;
    if (turn.reservation) usage.hold({ ownerId: turn.ownerId, id }, turn.reservation);
    const release = (): void => usage.release(id);
    try {
      const sent = await begin(stored, draft, turn.clientMessageId);
      void sent.reply.done().then(release, release);
      return sent;
    } catch (error) {
      release();
      throw error;
    }
  };

  /**
   * `whenBusy: interrupt`: ends the reply that runs in the chat, now that the new turn is stored and waits behind it. What
   * waits before the new turn keeps its place.
   */
  const interrupt = async ({ reply }: Turn): Promise<void> => {
    const unfinished = await stores.messages.listUnfinished(reply.ownerId, reply.chatId);
    const running = unfinished.filter(({ id, status }) => id !== reply.id && status !== 'queued');
    await Promise.all(running.map((message) => replies.stop(message)));
  };

  const count = (actor: Actor, plan: TurnPlan): Promise<void> => (plan.count ?? enforceLimit)(limiter, actorKey(actor));

  /** Lets a turn in; or, if it is known, gives the first one, even where a new one would be refused. */
  const admitOrFind = async (actor: Actor, plan: TurnPlan): Promise<TurnDraft | SentMessage> => {
    let isCounted = false;
    try {
      await count(actor, plan);
      isCounted = true;
      if (options.isClosing()) throw new AppError('SHUTTING_DOWN', { retryAfterMs: 1000 });
      rules.checkModel(plan.model);
      return await plan.prepare();
    } catch (refusal) {
      const first = await known.find(actor, plan);
      if (!first) throw refusal;
      if (isCounted) await limiter.undo(actorKey(actor));
      return first;
    }
  };

  const storeAndBegin = async (actor: Actor, plan: TurnPlan, draft: TurnDraft): Promise<SentMessage> => {
    const turn = newTurn(actor, plan, draft);
    const stored = await store(turn);
    if (stored.created && stored.turn) {
      const sent = await beginReserved(stored.turn, draft, turn);
      if (plan.whenBusy === 'interrupt' && stored.turn.reply.status === 'queued') await interrupt(stored.turn);
      return sent;
    }
    await limiter.undo(actorKey(actor));
    return known.reattach(stored, plan, turn.clientMessageId);
  };

  return async (actor, plan) => {
    const admitted = await admitOrFind(actor, plan);
    if ('reply' in admitted) return admitted;
    return storeAndBegin(actor, plan, admitted);
  };
};
