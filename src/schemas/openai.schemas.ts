import { z } from 'zod';

/**
 * The body of `POST /v1/chat/completions` (platform.openai.com/docs/api-reference/chat/create, and OpenRouter's sampling
 * parameters). The list is the filter: what is not in it is ignored, so that no field that an endpoint obeys besides
 * (`models`, `provider`, `plugins`, …) gets past the router. Null counts as left out.
 */
const ROLES = ['system', 'developer', 'user', 'assistant', 'tool', 'function'] as const;
const MAX_MODEL_CHARS = 512;
const MAX_MODELS = 100;
const MAX_TOKENS = 10_000_000;

const partSchema = z.looseObject({ type: z.string().min(1).max(64) });
const contentSchema = z
  .union([z.string(), z.array(partSchema).min(1)], 'must be a text or a list of parts')
  .meta({ description: 'A text, or parts such as `{ type: "text", text }` and `{ type: "image_url", image_url }`' });

/** Only an assistant's message may go without: it called a tool, or refused. */
const isOwnText = (message: z.infer<typeof looseMessage>): boolean => {
  const { role, content, tool_calls: calls, function_call: call, refusal } = message;
  return (content ?? null) !== null || (role === 'assistant' && (calls ?? call ?? refusal ?? null) !== null);
};

const looseMessage = z.looseObject({
  role: z.enum(ROLES),
  content: contentSchema.nullish(),
  tool_calls: z.array(z.looseObject({}), 'must be a list').nullish(),
  tool_call_id: z.string().max(512).nullish(),
  function_call: z.looseObject({}).nullish(),
  refusal: z.string().nullish(),
});

const messageSchema = looseMessage
  .refine(isOwnText, { path: ['content'], message: 'must not be empty' })
  .refine(({ role, tool_call_id: id }) => role !== 'tool' || typeof id === 'string', {
    path: ['tool_call_id'],
    message: 'is needed with the role tool',
  })
  .meta({ id: 'OpenAiMessage' });

const between = (min: number, max: number): z.ZodType<number | null | undefined> =>
  z.number().min(min).max(max).nullish();
const tokens = (): z.ZodType<number | null | undefined> =>
  z.int('must be a whole number').min(1, 'must be at least 1').max(MAX_TOKENS).nullish();

const stopSchema = z.union([z.string(), z.array(z.string()).max(16)], 'must be a text or a list of texts');

/** What a model's endpoint is told as it came. */
const passedShape = {
  tools: z
    .array(z.looseObject({ type: z.string() }), 'must be a list')
    .max(512)
    .nullish(),
  tool_choice: z.union([z.string(), z.looseObject({})]).nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  response_format: z.looseObject({ type: z.string() }).nullish(),
  stop: stopSchema.nullish(),
  seed: z.int().nullish(),
  top_p: between(0, 1),
  top_k: between(0, 1_000_000),
  top_a: between(0, 1),
  min_p: between(0, 1),
  presence_penalty: between(-2, 2),
  frequency_penalty: between(-2, 2),
  repetition_penalty: between(0, 2),
  logit_bias: z.record(z.string(), z.number()).nullish(),
  prediction: z.looseObject({}).nullish(),
  reasoning: z.looseObject({}).nullish(),
  reasoning_effort: z.string().max(32).nullish(),
  include_reasoning: z.boolean().nullish(),
  verbosity: z.string().max(32).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  modalities: z
    .array(z.enum(['text', 'image'], 'must be text or image'))
    .max(2)
    .nullish(),
};

/** OpenAI replaced it by `tools` in 2023; what a model answers to it would be lost on the way back. */
const legacy = (name: string) => z.null(`is not supported: use \`${name}\``).optional();

const modelSchema = z.string().min(1, 'must not be empty').max(MAX_MODEL_CHARS);
/** Several are OpenRouter's `models` under another name. */
const modelsSchema = z
  .union([modelSchema, z.array(modelSchema).min(1, 'must not be empty').max(MAX_MODELS)], {
    error: ({ input }) => (input === undefined ? 'is needed' : 'must be a text or a list of texts'),
  })
  .meta({
    description: 'A model of `GET /v1/models`, or several, as a list or with commas between them, to choose from',
  });

export const completionSchema = z
  .object({
    model: modelsSchema,
    messages: z.array(messageSchema, 'must be a list of messages').min(1, 'must not be empty'),
    stream: z.boolean().nullish(),
    stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
    temperature: between(0, 2),
    max_tokens: tokens(),
    max_completion_tokens: tokens(),
    n: z.literal(1, 'must be 1: more answers to one request are not made').nullish(),
    functions: legacy('tools'),
    function_call: legacy('tool_choice'),
    midStreamFailover: z.boolean().nullish().meta({
      description: 'Whether another model continues a stream that broke off; as the server says where it is left out',
    }),
    prompt_cache_key: z.string().max(1024).nullish().meta({ description: 'Names the conversation' }),
    session_id: z.string().max(1024).nullish().meta({ description: 'The same thing, as OpenRouter calls it' }),
    ...passedShape,
  })
  .meta({ id: 'ChatCompletionRequest' });
export type CompletionBody = z.output<typeof completionSchema>;

/** A message that a model is sent. */
export type CompletionMessage = Readonly<Record<string, unknown>> & { readonly role: string };

/** OpenAI's name for a system message that not every endpoint knows. */
const toKnownRole = (message: CompletionBody['messages'][number]): CompletionMessage =>
  message.role === 'developer' ? { ...message, role: 'system' } : message;

const isSaid = ([name, value]: readonly [string, unknown]): boolean =>
  Object.hasOwn(passedShape, name) && value !== null && value !== undefined;

/** The request behind a body, in this house's words. */
export const readCompletion = (body: CompletionBody) => ({
  model: typeof body.model === 'string' ? body.model : body.model.join(),
  messages: body.messages.map(toKnownRole),
  temperature: body.temperature ?? null,
  maxTokens: body.max_completion_tokens ?? body.max_tokens ?? null,
  extra: Object.fromEntries(Object.entries(body).filter(isSaid)),
  /** Undefined: as the server is configured. */
  continues: body.midStreamFailover ?? undefined,
  isStream: body.stream === true,
  includesUsage: body.stream_options?.include_usage === true,
  /** What the client says that its conversation is called. */
  conversation: body.prompt_cache_key ?? body.session_id ?? null,
});
