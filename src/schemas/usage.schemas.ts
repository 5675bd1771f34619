import { z } from 'zod';
import type { UsageRecord, UsageSums } from '../models/entities.ts';
import { pageOf, pageQuery, timestamp, type Page } from './common.ts';

const EARLIEST = '2000-01-01';
const LATEST = '2100-01-01';

/** From 2000 on: what is further away is a mistake, and past the calendar's end no day at all. */
const moment = z
  .union([z.iso.date(), z.iso.datetime({ offset: true })], 'must be an ISO 8601 date, or a time with its zone')
  .refine((value) => value >= EARLIEST && value < LATEST, `must be from ${EARLIEST} on and before ${LATEST}`)
  .optional();

const period = {
  from: moment.meta({ description: 'A date (UTC) or a time; by default 29 days before `to`', example: '2026-11-01' }),
  to: moment.meta({
    description: 'A date, with all of its day, or a time, up to which; by default today. At most 400 days after `from`',
    example: '2026-11-21',
  }),
};

export const usageSchema = z.strictObject(period);
export type UsageQuery = z.infer<typeof usageSchema>;

export const usageAttemptsSchema = z.strictObject({ ...period, ...pageQuery(50, 200) });
export type UsageAttemptsQuery = z.infer<typeof usageAttemptsSchema>;

const count = z.int().min(0);
const tokens = {
  promptTokens: count,
  completionTokens: count,
  totalTokens: count,
  reasoningTokens: count.meta({ description: 'Of the completion' }),
  cachedTokens: count.meta({ description: 'Of the prompt' }),
  costMicroUsd: count.meta({ description: 'Millionths of a US dollar' }),
};
const sums = {
  requests: count.meta({ description: 'Answers that were asked for: attempts whose `number` is 1' }),
  attempts: count.meta({ description: 'Calls of a model: one answer can take several' }),
  estimated: count.meta({ description: 'Attempts whose tokens are a guess' }),
  ...tokens,
};
const day = z.string().meta({ format: 'date', description: 'A UTC day' });

const quotaSchema = z
  .strictObject({
    limit: count.meta({ description: '0: none' }),
    used: count,
    reserved: count.meta({
      description:
        'Set aside for answers that have not ended; more is let in while used and reserved are below the limit',
    }),
    resetsAt: timestamp
      .nullable()
      .meta({ description: 'When `used` begins at 0 again; null: it falls as answers end' }),
  })
  .meta({ id: 'Quota' });

export const usageViewSchema = z
  .strictObject({
    from: day,
    to: day,
    totals: z.strictObject(sums),
    days: z.array(z.strictObject({ day, ...sums })),
    models: z.array(z.strictObject({ model: z.string(), ...sums })),
    quotas: z.strictObject({
      tokensPerDay: quotaSchema,
      costMicroUsdPerDay: quotaSchema,
      concurrentReplies: quotaSchema,
    }),
  })
  .meta({ id: 'UsageSummary' });
export type UsageView = z.infer<typeof usageViewSchema>;

export const usageAttemptSchema = z
  .strictObject({
    id: z.string(),
    at: timestamp.meta({ description: 'When the call ended; it counts on this UTC day' }),
    kind: z.enum(['reply', 'completion']),
    chatId: z.string().nullable(),
    messageId: z.string().nullable(),
    number: z.int().min(1).meta({ description: '1 for the first call of an answer' }),
    model: z.string(),
    provider: z.string().nullable(),
    generationId: z.string().nullable().meta({ description: 'The endpoint’s own id of the call' }),
    usage: z.strictObject({ ...tokens, estimated: z.boolean() }),
    latencyMs: z.strictObject({ firstToken: count.nullable(), total: count }),
    chosenBy: z.string().meta({ description: 'Why this model was asked' }),
    outcome: z.enum(['complete', 'failed', 'cancelled']),
    reason: z.string().meta({ description: 'A finish reason, a kind of error, or why it was cancelled' }),
  })
  .meta({ id: 'UsageAttempt' });
export type UsageAttemptView = z.infer<typeof usageAttemptSchema>;

export const usageAttemptsPageSchema = pageOf(usageAttemptSchema).meta({ id: 'UsageAttemptPage' });

/** What the service tells, as far as clients see it. */
interface Summary {
  readonly range: { readonly from: string; readonly to: string };
  readonly totals: UsageSums;
  readonly days: readonly (UsageSums & { readonly day: string })[];
  readonly models: readonly (UsageSums & { readonly model: string })[];
  readonly quotas: Readonly<Record<keyof UsageView['quotas'], Quota>>;
}

interface Quota {
  readonly limit: number;
  readonly used: number;
  readonly reserved: number;
  readonly resetsAt: Date | null;
}

const toSumsView = (given: UsageSums) => ({
  requests: given.requests,
  attempts: given.attempts,
  estimated: given.estimated,
  promptTokens: given.promptTokens,
  completionTokens: given.completionTokens,
  totalTokens: given.totalTokens,
  reasoningTokens: given.reasoningTokens,
  cachedTokens: given.cachedTokens,
  costMicroUsd: given.costMicroUsd,
});

const toQuotaView = ({ limit, used, reserved, resetsAt }: Quota) => ({
  limit,
  used,
  reserved,
  resetsAt: resetsAt?.toISOString() ?? null,
});

export const toUsageView = ({ range, totals, days, models, quotas }: Summary): UsageView => ({
  from: range.from,
  to: range.to,
  totals: toSumsView(totals),
  days: days.map((item) => ({ day: item.day, ...toSumsView(item) })),
  models: models.map((item) => ({ model: item.model, ...toSumsView(item) })),
  quotas: {
    tokensPerDay: toQuotaView(quotas.tokensPerDay),
    costMicroUsdPerDay: toQuotaView(quotas.costMicroUsdPerDay),
    concurrentReplies: toQuotaView(quotas.concurrentReplies),
  },
});

const toAttemptView = (record: UsageRecord): UsageAttemptView => ({
  id: record.id,
  at: record.at.toISOString(),
  kind: record.kind,
  chatId: record.chatId,
  messageId: record.messageId,
  number: record.number,
  model: record.model,
  provider: record.provider,
  generationId: record.generationId,
  usage: {
    promptTokens: record.promptTokens,
    completionTokens: record.completionTokens,
    totalTokens: record.totalTokens,
    reasoningTokens: record.reasoningTokens,
    cachedTokens: record.cachedTokens,
    costMicroUsd: record.costMicroUsd,
    estimated: record.estimated,
  },
  latencyMs: { firstToken: record.firstTokenMs, total: record.durationMs },
  chosenBy: record.chosenBy,
  outcome: record.outcome,
  reason: record.reason,
});

export const toUsageAttemptsView = ({ items, nextCursor }: Page<UsageRecord>) => ({
  items: items.map(toAttemptView),
  nextCursor,
});
