import { newId } from '../../../src/lib/ids.ts';
import type { UsageRecord } from '../../../src/models/entities.ts';
import type { QuotaLimits, Reservation } from '../../../src/models/stores.ts';
import { at } from './rows.ts';

const NO_LIMITS: QuotaLimits = { concurrentReplies: 0, tokensPerDay: 0, costMicroUsdPerDay: 0 };

/** A call in the books, on the day of `at(0)`. */
export const newRecord = (ownerId: string, changes: Partial<UsageRecord> = {}): UsageRecord => ({
  id: newId(),
  ownerId,
  createdBy: ownerId,
  at: at(0),
  kind: 'reply',
  chatId: newId(),
  messageId: newId(),
  number: 1,
  model: 'maker/model:free',
  provider: 'Provider',
  generationId: 'gen-1',
  promptTokens: 11,
  completionTokens: 7,
  totalTokens: 18,
  reasoningTokens: 3,
  cachedTokens: 2,
  costMicroUsd: 42,
  estimated: false,
  firstTokenMs: 120,
  durationMs: 450,
  chosenBy: 'message',
  outcome: 'complete',
  reason: 'stop',
  ...changes,
});

/** What is reserved by the node of these tests; limits are none but those given. */
export const reservation = (limits: Partial<QuotaLimits>, changes: Partial<Reservation> = {}): Reservation => ({
  nodeId: 'node-1',
  until: at(15_000),
  tokens: 100,
  costMicroUsd: 100,
  limits: { ...NO_LIMITS, ...limits },
  ended: [],
  ...changes,
});
