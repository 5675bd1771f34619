import type { Connection, Model } from 'mongoose';
import { apiKeySchema, type ApiKeyRow } from './apiKey.model.ts';
import { auditSchema, type AuditRow } from './audit.model.ts';
import { chatSchema, type ChatRow } from './chat.model.ts';
import { changeSetSchema, type ChangeSetRow } from './changeSet.model.ts';
import { identitySchema, type IdentityRow } from './identity.model.ts';
import { failureSchema, type FailureRow } from './failure.model.ts';
import { intentSchema, type IntentRow } from './intent.model.ts';
import { loginSchema, type LoginRow } from './login.model.ts';
import { mailTokenSchema, type MailTokenRow } from './mailToken.model.ts';
import { quotaNodeSchema, quotaSchema, type QuotaNodeRow, type QuotaRow } from './quota.model.ts';
import { messageSchema, type MessageRow } from './message.model.ts';
import { replyLogSchema, type ReplyLogRow } from './replyLog.model.ts';
import { ticketSchema, type TicketRow } from './ticket.model.ts';
import { tombstoneSchema, type TombstoneRow } from './tombstone.model.ts';
import { turnSchema, type TurnRow } from './turn.model.ts';
import { usageBatchSchema, type UsageBatchRow } from './usageBatch.model.ts';
import { usageDaySchema, type UsageDayRow } from './usageDay.model.ts';
import { usageSchema, type UsageRow } from './usage.model.ts';
import { userSchema, type UserRow } from './user.model.ts';
import { isDuplicateKey } from './errors.ts';

/** Every collection of the product, on one connection. */
export interface Collections {
  readonly users: Model<UserRow>;
  readonly logins: Model<LoginRow>;
  readonly tickets: Model<TicketRow>;
  readonly apiKeys: Model<ApiKeyRow>;
  readonly mailTokens: Model<MailTokenRow>;
  readonly identities: Model<IdentityRow>;
  readonly failures: Model<FailureRow>;
  readonly audit: Model<AuditRow>;
  readonly chats: Model<ChatRow>;
  readonly messages: Model<MessageRow>;
  readonly turns: Model<TurnRow>;
  readonly replyLog: Model<ReplyLogRow>;
  readonly intents: Model<IntentRow>;
  readonly tombstones: Model<TombstoneRow>;
  readonly changeSets: Model<ChangeSetRow>;
  readonly usage: Model<UsageRow>;
  readonly usageDays: Model<UsageDayRow>;
  readonly usageBatches: Model<UsageBatchRow>;
  readonly quotas: Model<QuotaRow>;
  readonly quotaNodes: Model<QuotaNodeRow>;
}

export const createCollections = (connection: Connection): Collections => ({
  users: connection.model<UserRow>('User', userSchema, 'users'),
  logins: connection.model<LoginRow>('Login', loginSchema, 'logins'),
  tickets: connection.model<TicketRow>('Ticket', ticketSchema, 'tickets'),
  apiKeys: connection.model<ApiKeyRow>('ApiKey', apiKeySchema, 'apiKeys'),
  mailTokens: connection.model<MailTokenRow>('MailToken', mailTokenSchema, 'mailTokens'),
  identities: connection.model<IdentityRow>('Identity', identitySchema, 'identities'),
  failures: connection.model<FailureRow>('Failure', failureSchema, 'failures'),
  audit: connection.model<AuditRow>('Audit', auditSchema, 'audit'),
  chats: connection.model<ChatRow>('Chat', chatSchema, 'chats'),
  messages: connection.model<MessageRow>('Message', messageSchema, 'messages'),
  turns: connection.model<TurnRow>('Turn', turnSchema, 'turns'),
  replyLog: connection.model<ReplyLogRow>('ReplyLog', replyLogSchema, 'replyLog'),
  intents: connection.model<IntentRow>('Intent', intentSchema, 'intents'),
  tombstones: connection.model<TombstoneRow>('Tombstone', tombstoneSchema, 'tombstones'),
  changeSets: connection.model<ChangeSetRow>('ChangeSet', changeSetSchema, 'changeSets'),
  usage: connection.model<UsageRow>('Usage', usageSchema, 'usage'),
  usageDays: connection.model<UsageDayRow>('UsageDay', usageDaySchema, 'usageDays'),
  usageBatches: connection.model<UsageBatchRow>('UsageBatch', usageBatchSchema, 'usageBatches'),
  quotas: connection.model<QuotaRow>('Quota', quotaSchema, 'quotas'),
  quotaNodes: connection.model<QuotaNodeRow>('QuotaNode', quotaNodeSchema, 'quotaNodes'),
});

/** Builds every index that is not there. Not by mongoose's `autoIndex`, whose failures nobody would hear of. */
export const buildIndexes = async (collections: Collections): Promise<void> => {
  for (const model of Object.values(collections) as Model<unknown>[]) {
    for (const [fields, { unique }] of model.schema.indexes()) {
      await model.collection.createIndex(fields as Record<string, 1>, unique ? { unique: true } : {}, {});
    }
  }
};

/** For writes that repair would do again: not worth waiting for the disk or another server. */
export const RELAXED = { writeConcern: { w: 1, j: false } } as const;

/** Stores one row. @throws the driver's error when `_id` or another unique value is taken (`isDuplicateKey`) */
export const insertRow = async <Row>(model: Model<Row>, row: Row): Promise<void> => {
  await model.insertMany([row], { lean: true });
};

/**
 * Stores the rows whose `_id` is not there yet and leaves the others as they are: a repeated write does nothing.
 * @returns how many it stored
 */
export const insertMissing = async <Row>(
  model: Model<Row>,
  rows: readonly Row[],
  options: typeof RELAXED | Record<string, never> = {},
): Promise<number> => {
  if (rows.length === 0) return 0;
  try {
    await model.insertMany([...rows], { lean: true, ordered: false, ...options });
    return rows.length;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return error.insertedCount;
  }
};
