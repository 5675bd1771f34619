import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import type { ClientOptions } from 'openai';

type Fetch = NonNullable<ClientOptions['fetch']>;

/** An answer whose body stays a Node stream: reading a web stream costs about as much again as all the rest per token. */
export class HttpResponse extends Response {
  readonly incoming: IncomingMessage;

  constructor(incoming: IncomingMessage, body: string | null) {
    super(body, { status: incoming.statusCode ?? 502, headers: headersOf(incoming) });
    this.incoming = incoming;
  }
}

const headersOf = (incoming: IncomingMessage): [string, string][] =>
  Object.entries(incoming.headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));

/** Quiet connections are kept this long, so that a reply after a pause does not pay for TCP and TLS again. */
const KEEP_ALIVE_MS = 60_000;
const MAX_IDLE_SOCKETS = 64;
const MAX_ERROR_BYTES = 64 * 1024;

export interface HttpFetch {
  readonly fetch: Fetch;
  /** Closes every connection, used or waiting. */
  close(): void;
}

/** The beginning of an error's body; the rest would tell nothing more. */
const readErrorBody = async (incoming: IncomingMessage): Promise<string> => {
  let bytes = 0;
  const limited = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of incoming) {
      if (!Buffer.isBuffer(chunk)) continue;
      yield chunk;
      bytes += chunk.length;
      if (bytes > MAX_ERROR_BYTES) return;
    }
  };
  // A cut body still leaves the status, which says what matters.
  return text(limited()).catch(() => '');
};

const isOk = (incoming: IncomingMessage): boolean => {
  const status = incoming.statusCode ?? 0;
  return status >= 200 && status <= 299;
};

/**
 * A `fetch` over `node:http` with kept connections, for the SDK to make its requests with. It does what the SDK needs:
 * string bodies, an abort signal, no redirects (a key would follow them). The body of a 2xx answer is left unread on
 * `HttpResponse.incoming`; any other is read here, so that the SDK finds its error in it.
 */
export const createHttpFetch = (): HttpFetch => {
  const options = { keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: KEEP_ALIVE_MS } as const;
  const agents = { http: new http.Agent(options), https: new https.Agent(options) } as const;

  const fetch: Fetch = (input, init = {}) =>
    new Promise((resolve, reject) => {
      const url = new URL(input instanceof Request ? input.url : input);
      const isTls = url.protocol === 'https:';
      const request = (isTls ? https : http).request(url, {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(new Headers(init.headers)),
        agent: isTls ? agents.https : agents.http,
        ...(init.signal ? { signal: init.signal } : {}),
      });
      // It stays on after the answer began: an abort then destroys the request too, and nobody else listens.
      request.on('error', reject);
      request.on('response', (incoming) => {
        if (isOk(incoming)) resolve(new HttpResponse(incoming, null));
        else readErrorBody(incoming).then((body) => resolve(new HttpResponse(incoming, body)), reject);
      });
      request.end(typeof init.body === 'string' ? init.body : undefined);
    });

  return {
    fetch,
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
};
