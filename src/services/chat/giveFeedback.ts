import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { Stores } from '../../models/stores.ts';
import type { GiveFeedback } from '../../schemas/control.schemas.ts';
import type { Actor } from '../auth/actor.ts';
import type { EventBus } from '../events.ts';
import type { SeenMessage, Siblings } from './siblings.ts';

export interface GiveFeedbackOptions {
  readonly stores: Pick<Stores, 'messages'>;
  readonly siblings: Siblings;
  readonly events: EventBus;
  readonly clock: Clock;
}

/**
 * Keeps what the user thinks of a reply, instead of what was thought before.
 * @throws AppError `MESSAGE_NOT_FOUND`, `VALIDATION_FAILED` for a message that is no reply
 */
export type GiveFeedbackUseCase = (actor: Actor, messageId: string, input: GiveFeedback) => Promise<SeenMessage>;

export const createGiveFeedback = (options: GiveFeedbackOptions): GiveFeedbackUseCase => {
  const { stores, siblings, events, clock } = options;

  return async (actor, messageId, { rating, comment = null }) => {
    const { ownerId } = actor;
    const message = await stores.messages.setFeedback(ownerId, messageId, { rating, comment }, new Date(clock.now()));
    if (!message) {
      if (!(await stores.messages.findMessage(ownerId, messageId))) throw new AppError('MESSAGE_NOT_FOUND');
      throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'messageId', message: 'must name a reply' }] });
    }
    const [seen = { ...message, siblings: [] }] = await siblings.see([message]);
    events.publish('messageUpdated', { ownerId, message: seen });
    return seen;
  };
};
