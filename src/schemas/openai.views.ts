import { z } from 'zod';
import type { Usage } from '../models/entities.ts';

const FINISH_REASONS = ['stop', 'length', 'tool_calls', 'content_filter'] as const;
type FinishReason = (typeof FINISH_REASONS)[number];

const usageSchema = z
  .strictObject({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    prompt_tokens_details: z.strictObject({ cached_tokens: z.int() }).optional(),
    completion_tokens_details: z.strictObject({ reasoning_tokens: z.int() }).optional(),
    cost: z.number().optional().meta({ description: 'US dollars' }),
    estimated: z
      .literal(true)
      .optional()
      .meta({ description: 'Guessed by the length of the texts, because the model’s endpoint did not tell' }),
  })
  .meta({ id: 'OpenAiUsage' });

export const completionViewSchema = z
  .strictObject({
    id: z.string(),
    object: z.literal('chat.completion'),
    created: z.int().meta({ description: 'Unix time in seconds' }),
    model: z.string().meta({ description: 'The model that answered, whatever was asked for' }),
    choices: z.array(
      z.strictObject({
        index: z.int(),
        message: z.strictObject({
          role: z.literal('assistant'),
          content: z.string().nullable(),
          refusal: z.string().nullable().meta({ description: 'A refusal in the model’s own words' }),
          reasoning_content: z.string().optional(),
          reasoning: z.string().optional(),
          reasoning_details: z.array(z.unknown()).optional(),
          tool_calls: z.array(z.unknown()).optional(),
          images: z.array(z.unknown()).optional(),
          annotations: z.array(z.unknown()).optional(),
        }),
        logprobs: z.record(z.string(), z.array(z.unknown())).nullable(),
        finish_reason: z.enum(FINISH_REASONS),
      }),
    ),
    usage: usageSchema.optional(),
  })
  .meta({ id: 'ChatCompletion' });
type CompletionView = z.infer<typeof completionViewSchema>;

export const openAiModelSchema = z
  .strictObject({ id: z.string(), object: z.literal('model'), created: z.int(), owned_by: z.string() })
  .meta({ id: 'OpenAiModel' });
type OpenAiModelView = z.infer<typeof openAiModelSchema>;

export const openAiModelListSchema = z
  .strictObject({ object: z.literal('list'), data: z.array(openAiModelSchema) })
  .meta({ id: 'OpenAiModelList' });

/** @param startedAt milliseconds since the epoch: of when a model was made, nobody tells us */
export const toOpenAiModelView = (id: string, startedAt: number): OpenAiModelView => ({
  id,
  object: 'model',
  created: Math.floor(startedAt / 1000),
  // The author's part of a slug; the router's own names have none.
  owned_by: id.includes('/') ? (id.split('/', 1)[0] ?? '') : 'parley',
});

const MICRO_USD_PER_USD = 1e6;

const toUsageView = (usage: Usage): z.infer<typeof usageSchema> => ({
  prompt_tokens: usage.promptTokens,
  completion_tokens: usage.completionTokens,
  total_tokens: usage.totalTokens,
  ...(usage.cachedTokens === undefined ? {} : { prompt_tokens_details: { cached_tokens: usage.cachedTokens } }),
  ...(usage.reasoningTokens === undefined
    ? {}
    : { completion_tokens_details: { reasoning_tokens: usage.reasoningTokens } }),
  ...(usage.costMicroUsd === undefined ? {} : { cost: usage.costMicroUsd / MICRO_USD_PER_USD }),
  ...(usage.estimated === true ? { estimated: true } : {}),
});

/** What names one answer, in each of its chunks. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
}

type Lists = Readonly<Record<string, readonly unknown[]>>;

/** A whole answer; what a model did not say is empty. */
export interface WholeAnswer {
  readonly model: string;
  readonly text: string;
  readonly refusal: string;
  readonly reasoning: string;
  /** OpenRouter's `reasoning_details`. */
  readonly details: readonly unknown[];
  readonly toolCalls: readonly unknown[];
  /** What else the message has, such as `images`, as the model sent it. */
  readonly extra: Lists;
  readonly logprobs: Lists | null;
  readonly finishReason: FinishReason;
  readonly usage: Usage | null;
}

const listField = (name: string, list: readonly unknown[] = []) => (list.length === 0 ? {} : { [name]: [...list] });

const toMessageView = (answer: WholeAnswer): CompletionView['choices'][number]['message'] => {
  const { text, refusal, reasoning, toolCalls, extra } = answer;
  return {
    role: 'assistant',
    content: text === '' && (refusal !== '' || toolCalls.length > 0) ? null : text,
    refusal: refusal === '' ? null : refusal,
    ...(reasoning === '' ? {} : { reasoning_content: reasoning, reasoning }),
    ...listField('reasoning_details', answer.details),
    ...listField('tool_calls', toolCalls),
    ...listField('images', extra.images),
    ...listField('annotations', extra.annotations),
  };
};

const toLogprobsView = (logprobs: Lists): Record<string, unknown[]> =>
  Object.fromEntries(Object.entries(logprobs).map(([name, list]) => [name, [...list]]));

export const toCompletionView = ({ id, created }: AnswerHead, answer: WholeAnswer): CompletionView => {
  return {
    id,
    object: 'chat.completion',
    created,
    model: answer.model,
    choices: [
      {
        index: 0,
        message: toMessageView(answer),
        logprobs: answer.logprobs === null ? null : toLogprobsView(answer.logprobs),
        finish_reason: answer.finishReason,
      },
    ],
    ...(answer.usage === null ? {} : { usage: toUsageView(answer.usage) }),
  };
};

/** The frames of one streamed answer, as texts: what is the same in each is written once per answer, not per token. */
export interface ChunkFrames {
  /** From here on this model answers. */
  setModel(model: string): void;
  role(): string;
  text(text: string): string;
  refusal(text: string): string;
  reasoning(thought: { readonly text: string; readonly details?: readonly unknown[] }): string;
  toolCalls(calls: readonly unknown[]): string;
  /** What the model's endpoint says besides, as it came. */
  extra(more: { readonly delta: Lists; readonly logprobs: Readonly<Record<string, unknown>> | null }): string;
  /** The last frames: the finish reason, the usage where it was asked for and is known, `[DONE]`. */
  end(reason: FinishReason, usage: Usage | null): string;
}

/** `data: ` with its space and LF, which not every client can do without. */
export const toDataFrame = (data: unknown): string => `data: ${JSON.stringify(data)}\n\n`;

export const createChunkFrames = ({ id, created }: AnswerHead, includesUsage: boolean): ChunkFrames => {
  const noUsage = includesUsage ? ',"usage":null' : '';
  const tail = `,"logprobs":null,"finish_reason":null}]${noUsage}}\n\n`;
  let head = '';
  let delta = '';
  const end = (reason: FinishReason): string =>
    `${delta}{},"logprobs":null,"finish_reason":"${reason}"}]${noUsage}}\n\n`;

  return {
    setModel: (model) => {
      head = `data: {"id":${JSON.stringify(id)},"object":"chat.completion.chunk","created":${String(created)},"model":${JSON.stringify(model)}`;
      delta = `${head},"choices":[{"index":0,"delta":`;
    },
    role: () => `${delta}{"role":"assistant","content":""}${tail}`,
    text: (text) => `${delta}{"content":${JSON.stringify(text)}}${tail}`,
    refusal: (text) => `${delta}{"refusal":${JSON.stringify(text)}}${tail}`,
    reasoning: ({ text, details }) => {
      const words = text === '' ? {} : { reasoning_content: text, reasoning: text };
      return `${delta}${JSON.stringify({ ...words, reasoning_details: details })}${tail}`;
    },
    toolCalls: (calls) => `${delta}{"tool_calls":${JSON.stringify(calls)}}${tail}`,
    extra: (more) =>
      `${delta}${JSON.stringify(more.delta)},"logprobs":${JSON.stringify(more.logprobs)},"finish_reason":null}]${noUsage}}\n\n`,
    end: (reason, usage) => {
      const books =
        includesUsage && usage ? `${head},"choices":[],"usage":${JSON.stringify(toUsageView(usage))}}\n\n` : '';
      return `${end(reason)}${books}data: [DONE]\n\n`;
    },
  };
};
