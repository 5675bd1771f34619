import type { CustomFetch } from 'openid-client';

/** Longest wait for one answer of a provider, its body included. */
const DEADLINE_MS = 5_000;
/** Metadata, keys and tokens have some kilobytes. */
const MAX_BYTES = 1_048_576;
const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** The provider did not answer, or not as a working one does; it may do so later. */
export class UnreachableError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnreachableError';
  }
}

/** Whether an error, or what caused it, is that the provider could not be reached. */
export const isUnreachable = (error: unknown): boolean =>
  error instanceof UnreachableError || (Error.isError(error) && isUnreachable(error.cause));

const checkUrl = (url: string, allowsLoopback: boolean): void => {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || (allowsLoopback && LOOPBACK.has(hostname))) return;
  throw new Error(`only https is asked, not ${protocol}//${hostname}`);
};

const readBounded = async (response: Response): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) throw new Error(`the answer has more than ${String(MAX_BYTES)} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

/**
 * `fetch` for what a provider's metadata name: https only (with `allowsLoopback` also this machine), bounded in time and
 * bytes, and no redirect is followed (OWASP SSRF Prevention).
 * @returns a fetch that throws UnreachableError for a provider that is down, answers 5xx or takes too long
 */
export const createProviderFetch =
  (allowsLoopback: boolean): CustomFetch =>
  async (url, { method, headers, body }) => {
    checkUrl(url, allowsLoopback);
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const init = { method, headers, signal, redirect: 'manual' as const, ...(body ? { body } : {}) };
    let response: Response;
    let content: Buffer;
    try {
      response = await fetch(url, init);
      content = await readBounded(response);
    } catch (error) {
      throw new UnreachableError('the provider did not answer', { cause: error });
    }
    const { status } = response;
    if (status >= 500) throw new UnreachableError(`the provider answered ${String(status)}`);
    return new Response(NO_BODY.has(status) ? null : new Uint8Array(content), { status, headers: response.headers });
  };
