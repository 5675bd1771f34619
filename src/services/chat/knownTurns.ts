import { AppError } from '../../lib/errors.ts';
import type { Turn } from '../../models/entities.ts';
import type { StoredTurn, Stores } from '../../models/stores.ts';
import type { Actor } from '../auth/actor.ts';
import type { RepliesService, ReplyHandle } from '../replies/index.ts';
import type { Siblings } from './siblings.ts';
import { wantedModel, type SentMessage, type TurnPlan } from './turnPlan.ts';

export interface KnownTurnsOptions {
  readonly stores: Pick<Stores, 'messages'>;
  readonly replies: Pick<RepliesService, 'handle' | 'retry'>;
  readonly siblings: Siblings;
  readonly isClosing: () => boolean;
}

/** Turns that were asked for before: whoever repeats one gets the first one. */
export interface KnownTurns {
  /** The first turn under the plan's id, if there was one. @throws AppError as `reattach` */
  find(actor: Actor, plan: TurnPlan): Promise<SentMessage | null>;
  /** @throws AppError `IDEMPOTENCY_CONFLICT` when it was another turn, `MESSAGE_NOT_FOUND` when it was deleted since */
  reattach(stored: StoredTurn, plan: TurnPlan, clientMessageId: string): Promise<SentMessage>;
}

export const createKnownTurns = (options: KnownTurnsOptions): KnownTurns => {
  const { stores, replies, siblings, isClosing } = options;

  /** A reply that no model was asked for is begun now, by exactly one of those who ask for it again. */
  const replyOf = (turn: Turn, plan: TurnPlan, clientMessageId: string): Promise<ReplyHandle> | ReplyHandle =>
    isClosing()
      ? replies.handle(turn.reply, clientMessageId)
      : replies.retry({ turn, clientMessageId, model: wantedModel(plan) });

  const reattach = async (known: StoredTurn, plan: TurnPlan, clientMessageId: string): Promise<SentMessage> => {
    if (known.fingerprint !== plan.fingerprint) throw new AppError('IDEMPOTENCY_CONFLICT');
    if (!known.turn)
      throw new AppError('MESSAGE_NOT_FOUND', { detail: 'The message was sent before and deleted since' });
    const reply = await replyOf(known.turn, plan, clientMessageId);
    const { chat, userMessage } = known.turn;
    const [question = { ...userMessage, siblings: [] }, answer] = await siblings.see([userMessage, reply.current()]);
    return {
      chat,
      userMessage: question,
      reply,
      replySiblings: answer?.siblings ?? [],
      clientMessageId,
      duplicate: true,
    };
  };

  /** The first turn under the same id, if there was one. */
  const find = async (actor: Actor, plan: TurnPlan): Promise<SentMessage | null> => {
    const id = plan.clientMessageId;
    if (id === undefined) return null;
    const known = await stores.messages.findTurn(actor.ownerId, id);
    return known && reattach(known, plan, id);
  };

  return { find, reattach };
};
