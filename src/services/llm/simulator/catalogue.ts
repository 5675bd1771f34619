/** What a model is, besides how it behaves. Prices in millionths of a US dollar per token. */
export interface ModelSettings {
  readonly name: string;
  readonly promptMicroUsd: number;
  readonly completionMicroUsd: number;
  readonly contextLength: number;
  /** Whether a prompt over `contextLength` is refused; without it the length is only told. */
  readonly isContextEnforced: boolean;
  readonly maxCompletionTokens: number | null;
  readonly provider: string;
  /** Whether an answer that the client gave up on is billed as far as it came, not whole (not every provider can). */
  readonly billsOnlySent: boolean;
}

/** Test models have a price, so that costs can be checked; talking to the product's own is free. */
const TEST_MODEL_MICRO_USD = 2;
const DEFAULT_CONTEXT_LENGTH = 128_000;

/** A date in the past that stays. */
const CREATED = 1_767_225_600;

export const isFree = (model: string): boolean => model.endsWith(':free');

export const defaultSettings = (model: string): ModelSettings => {
  const price = model.startsWith('sim/') && !isFree(model) ? TEST_MODEL_MICRO_USD : 0;
  const ownContext = /^sim\/ok-context:(\d+)/.exec(model)?.[1];
  return {
    name: model,
    promptMicroUsd: price,
    completionMicroUsd: price,
    contextLength: Number(ownContext ?? DEFAULT_CONTEXT_LENGTH),
    isContextEnforced: false,
    maxCompletionTokens: null,
    provider: 'Parley simulator',
    billsOnlySent: true,
  };
};

/** US dollars per token as OpenRouter writes them: a decimal string without an exponent. */
export const toUsdString = (microUsd: number): string =>
  (microUsd / 1e6).toFixed(12).replace(/0+$/, '').replace(/\.$/, '');

const ARCHITECTURE = {
  modality: 'text->text',
  input_modalities: ['text'],
  output_modalities: ['text'],
  tokenizer: 'Other',
  instruct_type: null,
} as const;

const PARAMETERS = [
  'frequency_penalty',
  'include_reasoning',
  'max_tokens',
  'presence_penalty',
  'reasoning',
  'response_format',
  'seed',
  'stop',
  'structured_outputs',
  'temperature',
  'tool_choice',
  'tools',
  'top_p',
] as const;

const pricingOf = ({ promptMicroUsd, completionMicroUsd }: ModelSettings) => ({
  prompt: toUsdString(promptMicroUsd),
  completion: toUsdString(completionMicroUsd),
  request: '0',
  image: '0',
});

/** An entry of `GET /models` (openrouter.ai/docs, "Models"). */
export const modelEntry = (id: string, settings: ModelSettings) => ({
  id,
  canonical_slug: id,
  hugging_face_id: null,
  name: settings.name,
  created: CREATED,
  description: 'A model of the Parley simulator',
  context_length: settings.contextLength,
  architecture: ARCHITECTURE,
  pricing: pricingOf(settings),
  top_provider: {
    context_length: settings.contextLength,
    max_completion_tokens: settings.maxCompletionTokens,
    is_moderated: false,
  },
  per_request_limits: null,
  supported_parameters: PARAMETERS,
});

/** The answer of `GET /models/:author/:slug/endpoints`: one provider, who is always well in the figures. */
export const endpointsEntry = (id: string, settings: ModelSettings) => ({
  id,
  name: settings.name,
  created: CREATED,
  description: 'A model of the Parley simulator',
  architecture: ARCHITECTURE,
  endpoints: [
    {
      name: `${settings.provider} | ${id}`,
      model_name: settings.name,
      context_length: settings.contextLength,
      pricing: pricingOf(settings),
      provider_name: settings.provider,
      tag: 'simulator',
      quantization: null,
      max_completion_tokens: settings.maxCompletionTokens,
      max_prompt_tokens: null,
      supported_parameters: PARAMETERS,
      status: 0,
      uptime_last_5m: 100,
      uptime_last_30m: 100,
      uptime_last_1d: 100,
      latency_last_30m: { p50: 0.2, p75: 0.3, p90: 0.5, p99: 1 },
      throughput_last_30m: { p50: 60, p75: 50, p90: 40, p99: 20 },
    },
  ],
});
