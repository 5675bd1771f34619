import http, { type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import type { Simulator } from '../../src/services/llm/simulator/index.ts';
import { createSseParser, type SseEvent } from '../../src/services/llm/sseParser.ts';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Json = any;

export interface Question {
  readonly stream?: boolean;
  readonly messages?: readonly object[];
  /** More fields of the body. */
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection is dropped after so many bytes of the body. */
  readonly leaveAfterBytes?: number;
  /** The connection is dropped when it resolves. */
  readonly leaveWhen?: Promise<unknown>;
  /** The connection is dropped after so long. */
  readonly patienceMs?: number;
}

export interface Answered {
  readonly status: number | null;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly body: string;
  /** In how many pieces it was read. */
  readonly reads: number;
  /** The JSON of each event, or the whole body as one; of an event that is no JSON null. */
  readonly frames: readonly Json[];
  /** What was said. */
  readonly text: string;
  readonly finishReason: string | null;
  readonly usage: Json;
  /** How the connection ended: null is a proper end, `left` that we dropped it. */
  readonly broken: string | null;
}

const json = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
};

const framesOf = (bytes: Buffer, isStream: boolean): Json[] => {
  if (!isStream) return [json(bytes.toString())];
  const events: SseEvent[] = [];
  const parser = createSseParser({ onEvent: (event) => events.push(event) });
  parser.push(bytes);
  parser.end();
  return events.filter(({ data }) => data !== '[DONE]').map(({ data }) => json(data));
};

const lastOf = <T>(values: readonly (T | null | undefined)[]): T | null =>
  values.findLast((value) => value !== null && value !== undefined) ?? null;

const answeredBy = (res: IncomingMessage | null, chunks: readonly Buffer[], broken: string | null): Answered => {
  const received = Buffer.concat(chunks);
  const bytes = res?.headers['content-encoding'] === 'gzip' ? gunzipSync(received) : received;
  const isStream = res?.headers['content-type'] === 'text/event-stream';
  const frames = framesOf(bytes, isStream);
  const choices = frames.map((frame) => frame?.choices?.[0]);
  return {
    status: res?.statusCode ?? null,
    headers: res?.headers ?? {},
    bytes,
    body: bytes.toString(),
    reads: chunks.length,
    frames,
    text: choices.map((choice) => choice?.delta?.content ?? choice?.message?.content ?? '').join(''),
    finishReason: lastOf(choices.map((choice) => choice?.finish_reason as string | null)),
    usage: lastOf(frames.map((frame) => frame?.usage as unknown)),
    broken,
  };
};

/** No test waits longer. */
const MAX_PATIENCE_MS = 10_000;

/** A call over a connection of its own, with nothing between: what came is what was sent. */
export const ask = (simulator: Simulator, model: string, question: Question = {}): Promise<Answered> => {
  const { stream = true, messages = [{ role: 'user', content: 'Hi there' }], headers = {} } = question;
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let answer: IncomingMessage | null = null;
    let hasLeft = false;
    const req = http.request(`${simulator.baseUrl}/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: { Authorization: `Bearer ${simulator.apiKey}`, 'Content-Type': 'application/json', ...headers },
    });
    const leave = (): void => {
      hasLeft = true;
      req.destroy();
    };
    void question.leaveWhen?.then(leave);
    const patience = setTimeout(leave, question.patienceMs ?? MAX_PATIENCE_MS);
    const end = (error: NodeJS.ErrnoException | null): void => {
      clearTimeout(patience);
      resolve(answeredBy(answer, chunks, hasLeft ? 'left' : (error?.code ?? null)));
    };
    req.on('error', end);
    req.on('response', (res) => {
      answer = res;
      res.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        length += chunk.length;
        if (question.leaveAfterBytes !== undefined && length >= question.leaveAfterBytes) leave();
      });
      res.on('error', end).on('close', () => end(null));
    });
    req.end(JSON.stringify({ model, messages, stream, ...question.body }));
  });
};

/** A look-up of OpenRouter's, with the key. */
export const lookUp = async (simulator: Simulator, path: string, key: string | null = simulator.apiKey) => {
  const headers: Record<string, string> = key === null ? {} : { Authorization: `Bearer ${key}` };
  const response = await fetch(`${simulator.baseUrl}${path}`, { headers });
  return { status: response.status, body: (await response.json()) as Json };
};

/** The other side: `/__sim/…`. */
export const control = async (simulator: Simulator, path: string, body?: object, headers = {}) => {
  const response = await fetch(new URL(`/__sim${path}`, simulator.baseUrl), {
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
    headers,
  });
  return { status: response.status, body: (await response.json()) as Json };
};
