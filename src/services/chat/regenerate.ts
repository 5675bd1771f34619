import { AppError } from '../../lib/errors.ts';
import { preview } from '../../lib/text.ts';
import type { Message } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { Regenerate } from '../../schemas/control.schemas.ts';
import type { Actor } from '../auth/actor.ts';
import { fingerprint } from './fingerprint.ts';
import type { TakeTurn } from './takeTurn.ts';
import type { SentMessage, TurnDraft } from './turnPlan.ts';

export interface RegenerateOptions {
  readonly stores: Pick<Stores, 'messages'>;
  readonly takeTurn: TakeTurn;
}

/**
 * Answers a question once more: a sibling of the replies it has, which becomes the branch that is shown. Named is a
 * reply, or the question itself, whose replies may all have been deleted.
 * @throws AppError `VALIDATION_FAILED` for a message that is neither, and what `TakeTurn` throws
 */
export type RegenerateUseCase = (actor: Actor, messageId: string, input: Regenerate) => Promise<SentMessage>;

export const createRegenerate = ({ stores, takeTurn }: RegenerateOptions): RegenerateUseCase => {
  const findQuestion = async (ownerId: string, messageId: string): Promise<Message> => {
    const message = await stores.messages.findMessage(ownerId, messageId);
    if (!message) throw new AppError('MESSAGE_NOT_FOUND');
    if (message.role === 'user') return message;
    const question = message.parentId === null ? null : await stores.messages.findMessage(ownerId, message.parentId);
    if (message.role === 'assistant' && question?.role === 'user') return question;
    throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'messageId', message: 'must name a reply' }] });
  };

  const prepare = async (actor: Actor, messageId: string, { midStreamFailover }: Regenerate): Promise<TurnDraft> => {
    const { id, chatId, content } = await findQuestion(actor.ownerId, messageId);
    return { chatId, newChat: null, parentId: id, userMessage: null, preview: preview(content), midStreamFailover };
  };

  return (actor, messageId, input) =>
    takeTurn(actor, {
      clientMessageId: input.clientMessageId,
      fingerprint: fingerprint({ regenerate: messageId }),
      model: input.model,
      whenBusy: input.whenBusy,
      prepare: () => prepare(actor, messageId, input),
    });
};
