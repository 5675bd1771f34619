import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import { preview, shorten } from '../../lib/text.ts';
import type { SendMessage } from '../../schemas/chat.schemas.ts';
import type { Actor } from '../auth/actor.ts';
import type { ContextService } from '../context/index.ts';
import type { ChatRules } from './chatRules.ts';
import { fingerprint } from './fingerprint.ts';
import type { TakeTurn } from './takeTurn.ts';
import type { SentMessage, TurnDraft, TurnPlan } from './turnPlan.ts';

export interface SendMessageOptions {
  readonly rules: ChatRules;
  readonly context: Pick<ContextService, 'checkFits'>;
  readonly takeTurn: TakeTurn;
}

/** Characters of a title made from a first message. */
const TITLE_CHARS = 60;

/** What makes two sends the same message: not model, stream or door, so that a retry may change those. */
const fingerprintOf = ({ content, chatId, parentId }: SendMessage): string =>
  fingerprint([content, chatId ?? null, parentId === undefined ? [] : parentId]);

/**
 * Stores a message with the empty reply to it, and starts the reply. Resolves when both are durable.
 * @throws AppError `VALIDATION_FAILED`, `CONTEXT_TOO_LONG`, `SYSTEM_PROMPT_NOT_ALLOWED`, and what `TakeTurn` throws;
 *   nothing is stored then
 */
export type SendMessageUseCase = (
  actor: Actor,
  input: SendMessage,
  /** Of a send that is one of many (batch.ts). */
  exceptions?: Pick<TurnPlan, 'maxWaiting' | 'count'>,
) => Promise<SentMessage>;

export const createSendMessage = ({ rules, context, takeTurn }: SendMessageOptions): SendMessageUseCase => {
  const prepare = async (input: SendMessage): Promise<TurnDraft> => {
    const { content, chatId, parentId, systemPrompt, midStreamFailover } = input;
    rules.checkSystemPrompt(systemPrompt);
    await context.checkFits(systemPrompt ?? null, content);
    const title = shorten(content, TITLE_CHARS) || 'New chat';
    return {
      chatId: chatId ?? newId(),
      newChat: chatId === undefined ? { title, model: null, systemPrompt: systemPrompt ?? null } : null,
      parentId,
      userMessage: { id: newId(), content },
      preview: preview(content),
      systemPrompt,
      midStreamFailover,
    };
  };

  return async (actor, input, exceptions = {}) => {
    rules.checkContent(input.content);
    if (typeof input.parentId === 'string' && input.chatId === undefined) {
      throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'chatId', message: 'is needed with parentId' }] });
    }
    const { clientMessageId, model, whenBusy } = input;
    return takeTurn(actor, {
      clientMessageId,
      fingerprint: fingerprintOf(input),
      model,
      whenBusy,
      prepare: () => prepare(input),
      ...exceptions,
    });
  };
};
