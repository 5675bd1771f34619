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
          refusal: z.null(),
          reasoning_content: z.string().optional(),
          reasoning: z.string().optional(),
          tool_calls: z.array(z.unknown()).optional(),
        }),
        logprobs: z.null(),
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
});

/** What names one answer, in each of its chunks. */
export interface AnswerHead {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly created: number;
}

/** A whole answer. */
export interface WholeAnswer {
  readonly model: string;
  readonly text: string;
  readonly reasoning: string;
  readonly toolCalls: readonly unknown[];
  readonly finishReason: FinishReason;
  readonly usage: Usage | null;
}

export const toCompletionView = ({ id, created }: AnswerHead, answer: WholeAnswer): CompletionView => {
  const { text, reasoning, toolCalls } = answer;
  return {
    id,
    object: 'chat.completion',
    created,
    model: answer.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: text === '' && toolCalls.length > 0 ? null : text,
          refusal: null,
          ...(reasoning === '' ? {} : { reasoning_content: reasoning, reasoning }),
          ...(toolCalls.length === 0 ? {} : { tool_calls: [...toolCalls] }),
        },
        logprobs: null,
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
  reasoning(text: string): string;
  toolCalls(calls: readonly unknown[]): string;
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
    reasoning: (text) => {
      const quoted = JSON.stringify(text);
      return `${delta}{"reasoning_content":${quoted},"reasoning":${quoted}}${tail}`;
    },
    toolCalls: (calls) => `${delta}{"tool_calls":${JSON.stringify(calls)}}${tail}`,
    end: (reason, usage) => {
      const books =
        includesUsage && usage ? `${head},"choices":[],"usage":${JSON.stringify(toUsageView(usage))}}\n\n` : '';
      return `${end(reason)}${books}data: [DONE]\n\n`;
    },
  };
};
