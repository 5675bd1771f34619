import { preview } from '../lib/text.ts';
import type { Message } from './entities.ts';

/** The preview of a chat that shows this leaf: of a reply without text, its question's. */
export const branchPreview = (
  leaf: Pick<Message, 'content'>,
  parent: Pick<Message, 'content'> | null,
): string | null => {
  const content = leaf.content || (parent?.content ?? '');
  return content === '' ? null : preview(content);
};
