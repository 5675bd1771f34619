import type { UsageDay, UsageRecord } from '../entities.ts';
import { dayOf, sumsOf } from '../usageSums.ts';
import { inserter, toDate } from './table.ts';

export interface UsageRow {
  readonly owner_id: string;
  readonly at: number;
  readonly id: string;
  readonly created_by: string;
  readonly kind: UsageRecord['kind'];
  readonly chat_id: string | null;
  readonly message_id: string | null;
  readonly number: number;
  readonly model: string;
  readonly provider: string | null;
  readonly generation_id: string | null;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly reasoning_tokens: number;
  readonly cached_tokens: number;
  readonly cost_micro_usd: number;
  readonly estimated: number;
  readonly first_token_ms: number | null;
  readonly duration_ms: number;
  readonly chosen_by: string;
  readonly outcome: UsageRecord['outcome'];
  readonly reason: string;
}

export const toUsageRecord = (row: UsageRow): UsageRecord => ({
  id: row.id,
  ownerId: row.owner_id,
  createdBy: row.created_by,
  at: toDate(row.at),
  kind: row.kind,
  chatId: row.chat_id,
  messageId: row.message_id,
  number: row.number,
  model: row.model,
  provider: row.provider,
  generationId: row.generation_id,
  promptTokens: row.prompt_tokens,
  completionTokens: row.completion_tokens,
  totalTokens: row.total_tokens,
  reasoningTokens: row.reasoning_tokens,
  cachedTokens: row.cached_tokens,
  costMicroUsd: row.cost_micro_usd,
  estimated: row.estimated === 1,
  firstTokenMs: row.first_token_ms,
  durationMs: row.duration_ms,
  chosenBy: row.chosen_by,
  outcome: row.outcome,
  reason: row.reason,
});

/** Does nothing, and says so, for a record that is there. */
export const insertUsage = inserter<UsageRecord>(
  'usage',
  {
    owner_id: (record) => record.ownerId,
    at: (record) => record.at.getTime(),
    id: (record) => record.id,
    created_by: (record) => record.createdBy,
    kind: (record) => record.kind,
    chat_id: (record) => record.chatId,
    message_id: (record) => record.messageId,
    number: (record) => record.number,
    model: (record) => record.model,
    provider: (record) => record.provider,
    generation_id: (record) => record.generationId,
    prompt_tokens: (record) => record.promptTokens,
    completion_tokens: (record) => record.completionTokens,
    total_tokens: (record) => record.totalTokens,
    reasoning_tokens: (record) => record.reasoningTokens,
    cached_tokens: (record) => record.cachedTokens,
    cost_micro_usd: (record) => record.costMicroUsd,
    estimated: (record) => Number(record.estimated),
    first_token_ms: (record) => record.firstTokenMs,
    duration_ms: (record) => record.durationMs,
    chosen_by: (record) => record.chosenBy,
    outcome: (record) => record.outcome,
    reason: (record) => record.reason,
  },
  'ON CONFLICT DO NOTHING',
);

export interface UsageDayRow {
  readonly day: string;
  readonly model: string;
  readonly requests: number;
  readonly attempts: number;
  readonly estimated: number;
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly reasoning_tokens: number;
  readonly cached_tokens: number;
  readonly cost_micro_usd: number;
}

export const toUsageDay = (row: UsageDayRow): UsageDay => ({
  day: row.day,
  model: row.model,
  requests: row.requests,
  attempts: row.attempts,
  estimated: row.estimated,
  promptTokens: row.prompt_tokens,
  completionTokens: row.completion_tokens,
  totalTokens: row.total_tokens,
  reasoningTokens: row.reasoning_tokens,
  cachedTokens: row.cached_tokens,
  costMicroUsd: row.cost_micro_usd,
});

const COUNTERS = [
  'requests',
  'attempts',
  'estimated',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'reasoning_tokens',
  'cached_tokens',
  'cost_micro_usd',
];

/** Adds a record to the counters of its day and model. */
export const countUsage = inserter<UsageRecord>(
  'usage_days',
  {
    owner_id: (record) => record.ownerId,
    day: (record) => dayOf(record.at),
    model: (record) => record.model,
    requests: (record) => sumsOf(record).requests,
    attempts: () => 1,
    estimated: (record) => Number(record.estimated),
    prompt_tokens: (record) => record.promptTokens,
    completion_tokens: (record) => record.completionTokens,
    total_tokens: (record) => record.totalTokens,
    reasoning_tokens: (record) => record.reasoningTokens,
    cached_tokens: (record) => record.cachedTokens,
    cost_micro_usd: (record) => record.costMicroUsd,
  },
  `ON CONFLICT DO UPDATE SET ${COUNTERS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`,
);
