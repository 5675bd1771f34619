import { Agent, request } from 'node:http';
import { connect } from 'node:net';

/** A request as it goes over the wire: nothing is added, nothing is corrected. */
export interface WireRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer | null;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly setCookies: readonly string[];
  readonly text: string;
  /** What went over the same connection right before: an answer that fits no request may belong to that one. */
  readonly before: string;
}

/** What came instead of an answer: the connection ended, or nothing happened in time. */
export interface NoAnswer {
  readonly failure: string;
}

const TIMEOUT_MS = 60_000;

export interface Wire {
  readonly send: (sent: WireRequest) => Promise<WireAnswer | NoAnswer>;
  /** Writes bytes and resolves with all that comes back until the connection ends. */
  readonly sendBytes: (bytes: Buffer) => Promise<string>;
  readonly close: () => void;
}

const failureOf = (error: unknown): NoAnswer => {
  const known = error as { name?: string; code?: string; message?: string };
  if (known.name === 'AbortError' || known.name === 'TimeoutError') return { failure: 'no answer in time' };
  return { failure: known.code ?? known.message ?? 'unknown' };
};

export const createWire = (url: string): Wire => {
  const { host, hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  const last = new WeakMap<object, string>();

  const once = ({ method, path, headers, body }: WireRequest): Promise<WireAnswer | (NoAnswer & { reused: boolean })> =>
    new Promise((resolve) => {
      const has = new Set(headers.map(([name]) => name.toLowerCase()));
      const flat = headers.flatMap(([name, value]) => [name, value]);
      if (!has.has('host')) flat.push('Host', host);
      if ((body !== null || method !== 'GET') && !has.has('content-length') && !has.has('transfer-encoding')) {
        flat.push('Content-Length', String(body?.length ?? 0));
      }
      const sent = request({
        hostname,
        port,
        agent,
        method,
        path,
        headers: flat,
        setHost: false,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const fail = (error: unknown): void => resolve({ ...failureOf(error), reused: sent.reusedSocket });
      sent.on('error', fail);
      let before = '';
      sent.on('socket', (socket) => {
        before = last.get(socket) ?? '';
        last.set(
          socket,
          `${method} ${path.slice(0, 80)} ${JSON.stringify(headers).slice(0, 900)} ${String(body?.length)}`,
        );
      });
      sent.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', fail);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers as Record<string, string>,
            setCookies: response.headers['set-cookie'] ?? [],
            text: Buffer.concat(chunks).toString(),
            before,
          }),
        );
      });
      sent.end(body ?? undefined);
    });

  return {
    // A kept connection that the server was just closing says nothing about the request.
    send: async (sent) => {
      const answer = await once(sent);
      return 'failure' in answer && answer.reused ? once(sent) : answer;
    },
    sendBytes: (bytes) =>
      new Promise((resolve) => {
        const socket = connect(Number(port), hostname);
        let answer = '';
        socket.setTimeout(2_000, () => socket.destroy());
        socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(answer));
        socket.write(bytes);
      }),
    close: () => agent.destroy(),
  };
};
