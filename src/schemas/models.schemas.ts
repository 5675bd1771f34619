import { z } from 'zod';
import { timestamp } from './common.ts';

const share = z.number().min(0).max(1);

export const modelListSchema = z
  .strictObject({
    items: z.array(
      z.strictObject({
        id: z.string(),
        weight: z.int().meta({ description: 'As configured' }),
        requests: z.int().meta({ description: 'Calls since the start' }),
        failures: z.int(),
        next: z.boolean().meta({ description: 'Whether `auto` takes it for the next message' }),
        state: z.enum(['healthy', 'degraded', 'open', 'half-open', 'cooling']).meta({
          description:
            '`degraded`: asked less often; `open`: not asked, it failed; `half-open`: one call finds out whether it is well ' +
            'again; `cooling`: not asked, it said so, or this minute’s calls of `:free` models are spent',
        }),
        cooldownUntil: timestamp.nullable().meta({ description: 'When it may be asked again; null: now' }),
        firstTokenMs: z.number().nullable().meta({ description: 'Median of the recent times to the first text' }),
        successRate: share.nullable().meta({ description: 'Of the recent past; null: not asked yet' }),
        share: share.meta({ description: 'The part of messages that `auto` gives it now' }),
        contextLength: z.int().nullable().meta({ description: 'Tokens of prompt and answer together; null: unknown' }),
        pricing: z
          .strictObject({
            promptMicroUsdPerMillionTokens: z.int(),
            completionMicroUsdPerMillionTokens: z.int(),
          })
          .nullable()
          .meta({ description: 'Null: unknown' }),
      }),
    ),
    nextCursor: z.null(),
    simulated: z.boolean().meta({ description: 'Whether the built-in simulator answers instead of real models' }),
  })
  .meta({ id: 'ModelList' });

type ModelListView = z.infer<typeof modelListSchema>;
type ModelView = ModelListView['items'][number];

/** A model as the router has it. */
interface ListedModel extends Omit<ModelView, 'cooldownUntil' | 'contextLength' | 'pricing'> {
  readonly cooldownUntil: Date | null;
  /** Prices in picodollars per token, which are micro-dollars per million tokens. */
  readonly offered: {
    readonly contextLength: number | null;
    readonly promptPrice: number | null;
    readonly completionPrice: number | null;
  } | null;
}

const pricingOf = (offered: ListedModel['offered']): ModelView['pricing'] => {
  const { promptPrice = null, completionPrice = null } = offered ?? {};
  if (promptPrice === null || completionPrice === null) return null;
  return { promptMicroUsdPerMillionTokens: promptPrice, completionMicroUsdPerMillionTokens: completionPrice };
};

const toModelView = (model: ListedModel): ModelView => ({
  id: model.id,
  weight: model.weight,
  requests: model.requests,
  failures: model.failures,
  next: model.next,
  state: model.state,
  cooldownUntil: model.cooldownUntil?.toISOString() ?? null,
  firstTokenMs: model.firstTokenMs,
  successRate: model.successRate,
  share: model.share,
  contextLength: model.offered?.contextLength ?? null,
  pricing: pricingOf(model.offered),
});

/** What clients see of the rotation. */
export const toModelListView = (models: readonly ListedModel[], simulated: boolean): ModelListView => ({
  items: models.map(toModelView),
  nextCursor: null,
  simulated,
});
