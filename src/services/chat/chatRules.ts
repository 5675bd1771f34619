import { AppError } from '../../lib/errors.ts';
import { codePoints } from '../../schemas/common.ts';
import type { LlmRouter } from '../llm/router.types.ts';

export interface ChatRulesOptions {
  readonly router: Pick<LlmRouter, 'hasModel'>;
  readonly messageMaxChars: number;
  readonly allowClientSystemPrompt: boolean;
}

/** What the operator allows in a chat; each check throws what the client may be told. */
export interface ChatRules {
  /** @throws AppError `VALIDATION_FAILED` */
  checkContent(content: string): void;
  /** @throws AppError `MODEL_NOT_AVAILABLE` */
  checkModel(model: string | undefined): void;
  /** @throws AppError `SYSTEM_PROMPT_NOT_ALLOWED` */
  checkSystemPrompt(systemPrompt: string | undefined): void;
}

export const createChatRules = ({ router, messageMaxChars, allowClientSystemPrompt }: ChatRulesOptions): ChatRules => ({
  checkContent: (content) => {
    if (codePoints(content) <= messageMaxChars) return;
    const message = `must have at most ${String(messageMaxChars)} characters`;
    throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'content', message }] });
  },
  checkModel: (model) => {
    if (model === undefined || router.hasModel(model)) return;
    throw new AppError('MODEL_NOT_AVAILABLE', { detail: 'Ask GET /api/models for the models in rotation' });
  },
  checkSystemPrompt: (systemPrompt) => {
    if (systemPrompt !== undefined && !allowClientSystemPrompt) throw new AppError('SYSTEM_PROMPT_NOT_ALLOWED');
  },
});
