import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import { preview } from '../../lib/text.ts';
import type { Stores } from '../../models/stores.ts';
import type { EditMessage } from '../../schemas/control.schemas.ts';
import type { Actor } from '../auth/actor.ts';
import type { ContextService } from '../context/index.ts';
import type { ChatRules } from './chatRules.ts';
import { fingerprint } from './fingerprint.ts';
import type { TakeTurn } from './takeTurn.ts';
import type { SentMessage, TurnDraft } from './turnPlan.ts';

export interface EditMessageOptions {
  readonly stores: Pick<Stores, 'messages'>;
  readonly rules: ChatRules;
  readonly context: Pick<ContextService, 'checkFits'>;
  readonly takeTurn: TakeTurn;
}

/**
 * Asks a question anew in other words: a sibling of the old one, with a reply of its own, which becomes the branch that
 * is shown. The old question stays as it was, with all that hangs on it.
 * @throws AppError `VALIDATION_FAILED` for a message that is not the user's, `CONTEXT_TOO_LONG`, and what `TakeTurn` throws
 */
export type EditMessageUseCase = (actor: Actor, messageId: string, input: EditMessage) => Promise<SentMessage>;

export const createEditMessage = ({ stores, rules, context, takeTurn }: EditMessageOptions): EditMessageUseCase => {
  const prepare = async (actor: Actor, messageId: string, input: EditMessage): Promise<TurnDraft> => {
    const { content, midStreamFailover } = input;
    const edited = await stores.messages.findMessage(actor.ownerId, messageId);
    if (!edited) throw new AppError('MESSAGE_NOT_FOUND');
    if (edited.role !== 'user') {
      const message = 'must name a message of the user; a reply is not edited but regenerated';
      throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'messageId', message }] });
    }
    await context.checkFits(null, content);
    const { chatId, parentId } = edited;
    return {
      chatId,
      newChat: null,
      parentId,
      userMessage: { id: newId(), content },
      preview: preview(content),
      midStreamFailover,
    };
  };

  return async (actor, messageId, input) => {
    rules.checkContent(input.content);
    return takeTurn(actor, {
      clientMessageId: input.clientMessageId,
      fingerprint: fingerprint({ edit: messageId, content: input.content }),
      model: input.model,
      whenBusy: input.whenBusy,
      prepare: () => prepare(actor, messageId, input),
    });
  };
};
