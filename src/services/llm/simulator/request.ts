import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { countOf, fieldOf, isRecord, parseJson } from '../jsonValue.ts';
import { findContinuation, type Continuation } from './continuation.ts';
import { countTokens, type SimulatedMessage } from './text.ts';

/** The question, as the simulator understood it. */
export interface SimulatedRequest {
  readonly model: string;
  /** Roles and texts; of a message in parts the texts of its parts. */
  readonly messages: readonly SimulatedMessage[];
  readonly maxTokens: number | null;
  readonly stream: boolean;
  readonly lastRole: string | null;
  readonly promptTokens: number;
  /** Everything in the body but the messages: tools, response_format, provider, … */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The request's headers, without its key. */
  readonly headers: IncomingHttpHeaders;
  /** Null for an ordinary question. */
  readonly continuation: Continuation | null;
}

/** Longer bodies are refused with 413. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/** A text, or a list of parts of which those with a text count: images and files cost nothing here. */
const contentOf = (content: unknown): string | null => {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return content === null || content === undefined ? '' : null;
  const texts = content.map((part: unknown) => fieldOf(part, 'text'));
  return texts.filter((text) => typeof text === 'string').join('\n');
};

const readMessage = (value: unknown): SimulatedMessage | null => {
  const role = fieldOf(value, 'role');
  const content = contentOf(fieldOf(value, 'content'));
  return typeof role === 'string' && content !== null ? { role, content } : null;
};

const withoutKey = ({ authorization: _authorization, ...headers }: IncomingHttpHeaders): IncomingHttpHeaders => headers;

/** The body as text; null when it is too long. */
const readBody = async (req: IncomingMessage): Promise<string | null> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return length > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString('utf8');
};

/** The JSON in a body; undefined when it is none or too long. */
export const readJsonBody = async (req: IncomingMessage): Promise<unknown> => {
  const body = await readBody(req);
  return body === null ? undefined : parseJson(body);
};

/** Why the fields are no request that can be answered; null when they are one. */
const problemOf = (fields: Readonly<Record<string, unknown>>): string | null => {
  if (typeof fields.n === 'number' && fields.n !== 1) return '"n" can only be 1';
  const maxTokens = fields.max_tokens ?? fields.max_completion_tokens ?? null;
  return maxTokens !== null && !countOf(maxTokens) ? '"max_tokens" must be a positive number' : null;
};

/** Null when one of them is no message. */
const readMessages = (given: unknown): SimulatedMessage[] | null => {
  if (!Array.isArray(given) || given.length === 0) return null;
  const messages = given.map(readMessage).filter((message) => message !== null);
  return messages.length === given.length ? messages : null;
};

/** The chat request in a body, or why there is none. */
export const readChatRequest = async (req: IncomingMessage): Promise<SimulatedRequest | string> => {
  const body = await readJsonBody(req);
  if (!isRecord(body)) return 'The body must be a JSON object';
  const { messages: given, model, ...fields } = body;
  if (typeof model !== 'string') return 'No "model"';
  const messages = readMessages(given);
  if (messages === null) return '"messages" must be a list, not empty, of objects with "role" and "content"';
  const problem = problemOf(fields);
  if (problem !== null) return problem;
  return {
    model,
    messages,
    maxTokens: countOf(fields.max_tokens ?? fields.max_completion_tokens),
    stream: fields.stream === true,
    lastRole: messages.at(-1)?.role ?? null,
    promptTokens: messages.reduce((sum, { content }) => sum + countTokens(content), 0),
    fields,
    headers: withoutKey(req.headers),
    continuation: findContinuation(messages),
  };
};
