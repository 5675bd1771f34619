import http, { type IncomingMessage, type RequestOptions } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { urlToHttpOptions } from 'node:url';
import type { ClientOptions } from 'openai';
import { providerError } from './providerErrors.ts';

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

/** An answer that is an error, with the beginning of its body. */
export class HttpStatusError extends Error {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;

  constructor(incoming: IncomingMessage, body: string) {
    super(`status ${String(incoming.statusCode)}`);
    this.name = 'HttpStatusError';
    this.status = incoming.statusCode ?? 502;
    this.headers = new Headers(headersOf(incoming));
    this.body = body;
  }
}

/** Where requests go to, as `node:http` understands it. */
export type Target = Readonly<Pick<RequestOptions, 'protocol' | 'hostname' | 'port' | 'path' | 'auth'>>;

/**
 * Takes an address apart once, and not for each request. Only what is needed: `node:http` copies all that it is given twice, and
 * slowly out of an object without a prototype, which `urlToHttpOptions` returns.
 */
export const targetOf = (url: URL): Target => {
  const { protocol, hostname, port, path, auth } = urlToHttpOptions(url);
  return { protocol, hostname, port, path, auth };
};

interface Sent {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onSent?: (() => void) | undefined;
}

export interface Posted {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
  /** The request goes out over a connection; never called for one that was not made, or came too late for an abort. */
  readonly onSent?: (() => void) | undefined;
}

export interface HttpFetch {
  readonly fetch: Fetch;
  /**
   * Posts JSON; resolves with a 2xx answer whose body is unread. The one call that every message makes, without what the
   * SDK does around it (docs/decisions/2026-11-21-speed.md).
   * @throws HttpStatusError; ProviderError `timeout` without a connection in time; the socket's error
   */
  post(target: Target, sent: Posted): Promise<IncomingMessage>;
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

const whenConnected = (socket: Socket, act: () => void): Socket =>
  socket.once('encrypted' in socket ? 'secureConnect' : 'connect', act);

/** Times the making of a connection, name look-up and TLS included; one that was kept is there already. */
const limitConnecting = (request: http.ClientRequest, socket: Socket, connectMs: number): void => {
  if (!socket.connecting) return;
  const timer = setTimeout(() => {
    request.destroy(providerError('timeout', { cause: new Error(`no connection after ${String(connectMs)} ms`) }));
  }, connectMs);
  const stop = (): void => clearTimeout(timer);
  whenConnected(socket, stop).once('close', stop);
};

/** What waits for a connection is written as soon as there is one, and over a kept one at once. */
const tellSent = (socket: Socket, onSent: () => void): void => {
  if (socket.connecting) whenConnected(socket, onSent);
  else onSent();
};

/**
 * Requests over `node:http` with kept connections. `fetch` is for the SDK to make its requests with, and does what that
 * needs: string bodies, an abort signal, no redirects (a key would follow them). The body of a 2xx answer is left unread
 * on `HttpResponse.incoming`; any other is read here, so that the SDK finds its error in it.
 * @param connectMs the longest wait for a connection; then it rejects with a ProviderError `timeout`
 */
export const createHttpFetch = (connectMs: number): HttpFetch => {
  const options = { keepAlive: true, maxFreeSockets: MAX_IDLE_SOCKETS, timeout: KEEP_ALIVE_MS } as const;
  const agents = { http: new http.Agent(options), https: new https.Agent(options) } as const;

  const send = (target: Target, { method, headers, body, signal, onSent }: Sent): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const isTls = target.protocol === 'https:';
      const agent = isTls ? agents.https : agents.http;
      const request = (isTls ? https : http).request({ ...target, method, headers, agent });
      // The option `signal` does the same, and listens for the end of the request in half a dozen ways besides.
      const onAbort = (): void => void request.destroy(new Error('aborted', { cause: signal?.reason }));
      signal?.addEventListener('abort', onAbort);
      request.on('close', () => signal?.removeEventListener('abort', onAbort));
      // It stays on after the answer began: an abort then destroys the request too, and nobody else listens.
      request.on('error', reject);
      request.on('socket', (socket) => {
        limitConnecting(request, socket, connectMs);
        if (onSent) tellSent(socket, onSent);
      });
      request.on('response', resolve);
      request.end(body);
    });

  const fetch: Fetch = async (input, init = {}) => {
    const incoming = await send(targetOf(new URL(input instanceof Request ? input.url : input)), {
      method: init.method ?? 'GET',
      headers: Object.fromEntries(new Headers(init.headers)),
      body: typeof init.body === 'string' ? init.body : undefined,
      signal: init.signal ?? undefined,
    });
    return new HttpResponse(incoming, isOk(incoming) ? null : await readErrorBody(incoming));
  };

  return {
    fetch,
    post: async (target, sent) => {
      const incoming = await send(target, { ...sent, method: 'POST' });
      if (isOk(incoming)) return incoming;
      throw new HttpStatusError(incoming, await readErrorBody(incoming));
    },
    close: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
};
