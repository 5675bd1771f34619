import OpenAI, { APIConnectionTimeoutError, APIError } from 'openai';
import type { Clock } from '../../lib/clock.ts';
import { createHttpFetch, HttpResponse } from './httpFetch.ts';
import { ProviderError, type LlmPart, type LlmProvider, type LlmRequest } from './provider.ts';
import { fieldOf, parseJson, textOf } from './jsonValue.ts';
import { providerError, toProviderError } from './providerErrors.ts';
import { openReading } from './streamReader.ts';
import { createWatchdog, type LlmTimeouts } from './watchdog.ts';

export interface OpenRouterOptions {
  /** Up to and including the version, without a slash at the end: `https://openrouter.ai/api/v1`. */
  readonly baseUrl: string;
  /** Null: the endpoint wants none (Ollama, vLLM). */
  readonly apiKey: string | null;
  readonly timeouts: LlmTimeouts;
  /** This server's own address, which OpenRouter's app pages show; null: not told. */
  readonly publicUrl: string | null;
  readonly clock: Clock;
}

export interface OpenRouterProvider extends LlmProvider {
  /** Closes the connections; a stream that still runs ends in a `network` error. */
  close(): void;
}

/** The list of models is a catalogue of some hundred entries; more than this is none. */
const MAX_CATALOGUE_CHARS = 32 * 1024 * 1024;
/** What the SDK tells about the machine is nobody's business. */
const NO_TELEMETRY = {
  'X-Stainless-Arch': null,
  'X-Stainless-Lang': null,
  'X-Stainless-OS': null,
  'X-Stainless-Package-Version': null,
  'X-Stainless-Runtime': null,
  'X-Stainless-Runtime-Version': null,
  'X-Stainless-Retry-Count': null,
  'X-Stainless-Timeout': null,
} as const;

/** OpenRouter's app attribution (openrouter.ai/docs/app-attribution); nobody else is told. */
const attribution = ({ baseUrl, publicUrl }: OpenRouterOptions): Record<string, string> => {
  const { hostname } = new URL(baseUrl);
  if (hostname !== 'openrouter.ai' && !hostname.endsWith('.openrouter.ai')) return {};
  return { 'X-OpenRouter-Title': 'Parley', ...(publicUrl === null ? {} : { 'HTTP-Referer': publicUrl }) };
};

const createClient = (options: OpenRouterOptions, fetch: ReturnType<typeof createHttpFetch>['fetch']): OpenAI =>
  new OpenAI({
    baseURL: options.baseUrl,
    // The SDK does not go without; the header is then left out below.
    apiKey: options.apiKey ?? 'none',
    // Everything it would otherwise read from the environment behind our configuration's back.
    adminAPIKey: null,
    organization: null,
    project: null,
    webhookSecret: null,
    logLevel: 'off',
    maxRetries: 0,
    timeout: options.timeouts.totalMs,
    fetch,
    defaultHeaders: {
      ...NO_TELEMETRY,
      'User-Agent': 'Parley',
      // No compressor on the way may hold tokens back.
      'Accept-Encoding': 'identity',
      ...(options.apiKey === null ? { Authorization: null } : {}),
      ...attribution(options),
    },
  });

const toBody = (request: LlmRequest) =>
  ({
    model: request.model,
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    temperature: request.temperature,
    max_tokens: request.maxTokens,
    stream: true,
    stream_options: { include_usage: true },
  }) as const;

const incomingOf = (response: Response) => {
  if (response instanceof HttpResponse) return response.incoming;
  throw new TypeError('the SDK answered with a response that is not ours');
};

/** The slugs of a `GET /models` answer, aliases included (openrouter.ai/docs, "Models"). */
const readCatalogue = (body: string): string[] => {
  const data = fieldOf(parseJson(body), 'data');
  if (!Array.isArray(data)) throw providerError('not_found', { cause: new Error('no list of models') });
  return data.flatMap((item: unknown) =>
    [textOf(fieldOf(item, 'id')), textOf(fieldOf(item, 'canonical_slug'))].filter((slug) => slug !== null),
  );
};

const readText = async (body: AsyncIterable<unknown>): Promise<string> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_CATALOGUE_CHARS)
      throw providerError('invalid', { cause: new Error('the list of models is too long') });
  }
  return Buffer.concat(chunks).toString('utf8');
};

/**
 * A provider for OpenRouter and every endpoint that speaks OpenAI's chat completions. The SDK makes the request and
 * reads its errors; the stream is ours to read (streamReader.ts), and so is every timeout.
 */
export const createOpenRouterProvider = (options: OpenRouterOptions): OpenRouterProvider => {
  const http = createHttpFetch();
  const client = createClient(options, http.fetch);
  const { apiKey, clock } = options;
  const mask = (text: string): string => (apiKey === null ? text : text.replaceAll(apiKey, '***'));

  /** Never the SDK's own error, whose message and headers may hold what must not be shown. */
  const toOurError = (error: unknown): unknown => {
    if (error instanceof ProviderError) return error;
    if (error instanceof APIConnectionTimeoutError) return providerError('timeout');
    if (!(error instanceof APIError)) return providerError('network', { cause: error });
    const answered: { readonly status: unknown; readonly headers: unknown; readonly error: unknown } = error;
    if (typeof answered.status !== 'number') return providerError('network', { cause: error.cause });
    const headers = answered.headers instanceof Headers ? answered.headers : null;
    return toProviderError({ status: answered.status, error: answered.error, headers, nowMs: clock.now(), mask });
  };

  /** Runs one call under its watchdog, with a signal of its own that says why it was aborted. */
  const open = (signal: AbortSignal) => {
    const attempt = new AbortController();
    const watchdog = createWatchdog(options.timeouts, (error) => attempt.abort(error));
    const onAbort = (): void => attempt.abort(signal.reason);
    signal.addEventListener('abort', onAbort);
    return {
      signal: attempt.signal,
      watchdog,
      /** What a failed call throws: the reason of the abort, if there was one. */
      explain: (error: unknown): unknown => (attempt.signal.aborted ? attempt.signal.reason : toOurError(error)),
      close: (): void => {
        watchdog.stop();
        signal.removeEventListener('abort', onAbort);
      },
    };
  };

  const stream = async function* (request: LlmRequest, signal: AbortSignal): AsyncGenerator<LlmPart> {
    signal.throwIfAborted();
    const call = open(signal);
    try {
      const response = await client.chat.completions.create(toBody(request), { signal: call.signal }).asResponse();
      call.watchdog.headersArrived();
      const toError = (error: unknown): Error =>
        toProviderError({ status: null, error, headers: null, nowMs: clock.now(), mask });
      const reading = openReading(incomingOf(response), { signal: call.signal, watchdog: call.watchdog, toError });
      try {
        while (await reading.ready()) for (const part of reading.take()) yield part;
      } finally {
        reading.stop();
      }
    } catch (error) {
      throw call.explain(error);
    } finally {
      call.close();
    }
  };

  const listModels = async (signal: AbortSignal): Promise<readonly string[]> => {
    signal.throwIfAborted();
    const call = open(signal);
    try {
      const response = await client.get('/models', { signal: call.signal }).asResponse();
      return readCatalogue(await readText(incomingOf(response)));
    } catch (error) {
      throw call.explain(error);
    } finally {
      call.close();
    }
  };

  return { stream, listModels, close: () => http.close() };
};
