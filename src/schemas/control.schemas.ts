import { z } from 'zod';
import { problemSchema, type Problem } from './problem.ts';
import {
  clientMessageId,
  messageContent,
  midStreamFailover,
  modelName,
  sendMessageSchema,
  whenBusy,
} from './chat.schemas.ts';
import { idRef, text } from './common.ts';

/** What every request that begins a reply may say besides what it is about. */
const turnFields = {
  clientMessageId: clientMessageId.optional(),
  model: modelName.optional(),
  whenBusy: whenBusy.optional(),
  midStreamFailover: midStreamFailover.optional(),
};
const overRest = { stream: z.boolean().optional() };
const overSockets = { messageId: idRef };

const editFields = { content: messageContent, ...turnFields };

export type Regenerate = z.infer<z.ZodObject<typeof turnFields>>;
export type EditMessage = z.infer<z.ZodObject<typeof editFields>>;

export const regenerateSchema = z.strictObject({ ...turnFields, ...overRest }).meta({ id: 'Regenerate' });
export const editMessageSchema = z.strictObject({ ...editFields, ...overRest }).meta({ id: 'EditMessage' });
export const socketRegenerateSchema = z.strictObject({ ...overSockets, ...turnFields });
export const socketEditSchema = z.strictObject({ ...overSockets, ...editFields });

export const FEEDBACK_COMMENT_MAX_CHARS = 1000;
export const giveFeedbackSchema = z
  .strictObject({ rating: z.enum(['up', 'down']), comment: text(1, FEEDBACK_COMMENT_MAX_CHARS).optional() })
  .meta({ id: 'GiveFeedback' });
export type GiveFeedback = z.infer<typeof giveFeedbackSchema>;

export const BATCH_MAX_ITEMS = 50;

/** One send of a batch; `chatOf` goes on with the chat of an earlier item, which had no `chatId` to name yet. */
export const batchItemSchema = sendMessageSchema
  .extend({ chatOf: clientMessageId.optional() })
  .refine(({ chatId, chatOf }) => chatId === undefined || chatOf === undefined, 'has either chatId or chatOf')
  .meta({ id: 'BatchItem' });
export type BatchItem = z.infer<typeof batchItemSchema>;

/** Items are checked one by one, when their turn comes: a wrong one spoils no other. */
export const batchSchema = z.strictObject({ items: z.array(z.unknown()).min(1).max(BATCH_MAX_ITEMS) });
export type Batch = z.infer<typeof batchSchema>;

/** The same as it is documented. */
export const documentedBatchSchema = z
  .strictObject({ items: z.array(batchItemSchema).min(1).max(BATCH_MAX_ITEMS) })
  .meta({ id: 'Batch' });

/** What every event that begins a reply is acknowledged with, once the message is durable. */
const sendAckFields = {
  chatId: z.string(),
  userMessageId: z.string(),
  messageId: z.string(),
  clientMessageId: z.string(),
  status: z.string(),
  duplicate: z.boolean(),
};
export type SendAck = Readonly<z.infer<z.ZodObject<typeof sendAckFields>>>;

/** What became of one item of a batch. */
export type BatchResult =
  | ({ readonly ok: true } & SendAck)
  | { readonly ok: false; readonly clientMessageId: string | null; readonly error: Problem };

export const batchResultsSchema = z.strictObject({
  results: z.array(
    z.union([
      z.strictObject({ ok: z.literal(true), ...sendAckFields }),
      z.strictObject({ ok: z.literal(false), clientMessageId: z.string().nullable(), error: problemSchema }),
    ]),
  ),
});
