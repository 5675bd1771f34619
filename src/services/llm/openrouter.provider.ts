import OpenAI, { APIConnectionTimeoutError, APIError } from 'openai';
import type { Clock } from '../../lib/clock.ts';
import type { Usage } from '../../models/entities.ts';
import { createBeat } from './beat.ts';
import { readCatalogue, readGeneration } from './catalogue.ts';
import { isOpenRouter, toChatBody } from './chatRequest.ts';
import { createHttpFetch, HttpResponse, HttpStatusError, targetOf } from './httpFetch.ts';
import {
  ProviderError,
  type LlmPart,
  type LlmProvider,
  type LlmRequest,
  type OfferedModel,
  type StreamTimeouts,
} from './provider.ts';
import { fieldOf, parseJson } from './jsonValue.ts';
import { createMask, type Mask } from './mask.ts';
import { MAX_CAUSE_CHARS, providerError, toProviderError } from './providerErrors.ts';
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

/** The list of models is a catalogue of some hundred entries; a longer document is none of ours. */
const MAX_DOCUMENT_BYTES = 32 * 1024 * 1024;
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
  if (!isOpenRouter(baseUrl)) return {};
  return { 'X-OpenRouter-Title': 'Parley', ...(publicUrl === null ? {} : { 'HTTP-Referer': publicUrl }) };
};

/** What every request says besides its key. */
const commonHeaders = (options: OpenRouterOptions) => ({
  'User-Agent': 'Parley',
  // No compressor on the way may hold tokens back.
  'Accept-Encoding': 'identity',
  ...attribution(options),
});

const streamHeaders = (options: OpenRouterOptions): Readonly<Record<string, string>> => ({
  ...commonHeaders(options),
  Accept: 'text/event-stream',
  'Content-Type': 'application/json',
  ...(options.apiKey === null ? {} : { Authorization: `Bearer ${options.apiKey}` }),
});

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
      ...(options.apiKey === null ? { Authorization: null } : {}),
      ...commonHeaders(options),
    },
  });

const incomingOf = (response: Response) => {
  if (response instanceof HttpResponse) return response.incoming;
  throw new TypeError('the SDK answered with a response that is not ours');
};

const readText = async (body: AsyncIterable<unknown>): Promise<string> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_DOCUMENT_BYTES) throw providerError('invalid', { cause: new Error('the document is too long') });
  }
  return Buffer.concat(chunks).toString('utf8');
};

/**
 * A provider for OpenRouter and every endpoint that speaks OpenAI's chat completions. The SDK asks for catalogue and
 * books; the streamed call is made and read here (httpFetch.ts, streamReader.ts), and every timeout is ours.
 */
export const createOpenRouterProvider = (options: OpenRouterOptions): OpenRouterProvider => {
  const http = createHttpFetch(options.timeouts.connectMs);
  const beat = createBeat();
  const isToOpenRouter = isOpenRouter(options.baseUrl);
  const client = createClient(options, http.fetch);
  const { apiKey, clock } = options;
  const chatTarget = targetOf(new URL(`${options.baseUrl}/chat/completions`));
  const headers = streamHeaders(options);
  const maskFor = createMask(apiKey, MAX_CAUSE_CHARS);

  const refusalOf = ({ status, headers: answered, body }: HttpStatusError, mask: Mask): ProviderError => {
    const error = fieldOf(parseJson(body), 'error');
    return toProviderError({ status, error, headers: answered, nowMs: clock.now(), mask });
  };

  /** Never the SDK's own error, whose message and headers may hold what must not be shown. */
  const toOurError = (error: unknown, mask: Mask): unknown => {
    if (error instanceof ProviderError) return error;
    if (error instanceof HttpStatusError) return refusalOf(error, mask);
    if (error instanceof APIConnectionTimeoutError) return providerError('timeout');
    // The SDK wraps what its fetch rejected with.
    if (Error.isError(error) && error.cause instanceof ProviderError) return error.cause;
    if (!(error instanceof APIError)) return providerError('network', { cause: error });
    const answered: { readonly status: unknown; readonly headers: unknown; readonly error: unknown } = error;
    if (typeof answered.status !== 'number') return providerError('network', { cause: error.cause });
    const answeredHeaders = answered.headers instanceof Headers ? answered.headers : null;
    const { status, error: body } = answered;
    return toProviderError({ status, error: body, headers: answeredHeaders, nowMs: clock.now(), mask });
  };

  /** Runs one call under its watchdog, with a signal of its own that says why it was aborted. */
  const open = (signal: AbortSignal, mask: Mask, timeouts: StreamTimeouts = {}) => {
    const attempt = new AbortController();
    const watchdog = createWatchdog({ ...options.timeouts, ...timeouts }, (error) => attempt.abort(error));
    const onAbort = (): void => attempt.abort(signal.reason);
    signal.addEventListener('abort', onAbort);
    return {
      signal: attempt.signal,
      watchdog,
      /** What a failed call throws: the reason of the abort, if there was one. */
      explain: (error: unknown): unknown => (attempt.signal.aborted ? attempt.signal.reason : toOurError(error, mask)),
      close: (): void => {
        watchdog.stop();
        signal.removeEventListener('abort', onAbort);
      },
    };
  };

  const stream = async function* (
    request: LlmRequest,
    signal: AbortSignal,
    timeouts?: StreamTimeouts,
  ): AsyncGenerator<LlmPart> {
    signal.throwIfAborted();
    const mask = maskFor(request);
    const { course } = request;
    const call = open(signal, mask, timeouts);
    try {
      const body = JSON.stringify(toChatBody(request, isToOpenRouter));
      const incoming = await http.post(chatTarget, { headers, body, signal: call.signal, onSent: course?.sent });
      call.watchdog.headersArrived();
      const onAnswered = (): void => course?.answered();
      const toError = (error: unknown): Error => {
        onAnswered();
        return toProviderError({ status: null, error, headers: null, nowMs: clock.now(), mask });
      };
      const { watchdog } = call;
      const beatOfCall = request.isGathered === true ? beat : null;
      const reading = openReading(incoming, {
        signal: call.signal,
        watchdog,
        beat: beatOfCall,
        toError,
        onAnswered,
      });
      try {
        while (await reading.ready()) for (const part of reading.take()) yield part;
      } finally {
        reading.stop();
      }
    } catch (error) {
      if (error instanceof HttpStatusError) course?.answered();
      throw call.explain(error);
    } finally {
      call.close();
    }
  };

  const readDocument = async (path: string, signal: AbortSignal): Promise<unknown> => {
    signal.throwIfAborted();
    const call = open(signal, maskFor(null));
    try {
      const response = await client.get(path, { signal: call.signal }).asResponse();
      return parseJson(await readText(incomingOf(response)));
    } catch (error) {
      throw call.explain(error);
    } finally {
      call.close();
    }
  };

  const listModels = async (signal: AbortSignal): Promise<readonly OfferedModel[]> =>
    readCatalogue(await readDocument('/models', signal));

  const findUsage = async (generationId: string, signal: AbortSignal): Promise<Usage | null> => {
    try {
      return readGeneration(await readDocument(`/generation?id=${encodeURIComponent(generationId)}`, signal));
    } catch (error) {
      if (error instanceof ProviderError && error.kind === 'not_found') return null;
      throw error;
    }
  };

  return { stream, listModels, findUsage, close: () => http.close() };
};
