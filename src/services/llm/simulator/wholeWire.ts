import type { ServerResponse } from 'node:http';
import { fieldOf, isRecord, textOf } from '../jsonValue.ts';
import type { Wire, WireOptions } from './wire.ts';

interface ToolCall {
  readonly id: string;
  readonly name: string;
  argumentsText: string;
}

/** The parts of an answer, put together again. */
interface Assembled {
  head: Readonly<Record<string, unknown>>;
  content: string;
  reasoning: string;
  readonly toolCalls: ToolCall[];
  finishReason: string | null;
  usage: unknown;
  error: unknown;
  isGarbled: boolean;
}

const addToolCalls = (calls: ToolCall[], deltas: readonly unknown[]): void => {
  for (const delta of deltas) {
    const made = fieldOf(delta, 'function');
    const id = textOf(fieldOf(delta, 'id'));
    if (id !== null) calls.push({ id, name: textOf(fieldOf(made, 'name')) ?? '', argumentsText: '' });
    const call = calls.at(Number(fieldOf(delta, 'index') ?? -1));
    if (call) call.argumentsText += textOf(fieldOf(made, 'arguments')) ?? '';
  }
};

const add = (parts: Assembled, body: Readonly<Record<string, unknown>>): void => {
  const { choices, usage, error, ...head } = body;
  const choice: unknown = Array.isArray(choices) ? choices[0] : undefined;
  const delta = fieldOf(choice, 'delta');
  if (fieldOf(head, 'id') !== undefined) parts.head = head;
  parts.content += textOf(fieldOf(delta, 'content')) ?? '';
  parts.reasoning += textOf(fieldOf(delta, 'reasoning')) ?? '';
  const toolCalls = fieldOf(delta, 'tool_calls');
  if (Array.isArray(toolCalls)) addToolCalls(parts.toolCalls, toolCalls);
  parts.finishReason ??= textOf(fieldOf(choice, 'finish_reason'));
  parts.usage = usage ?? parts.usage;
  parts.error = error ?? parts.error;
};

const messageOf = ({ content, reasoning, toolCalls }: Assembled): Readonly<Record<string, unknown>> => ({
  role: 'assistant',
  content: content === '' && toolCalls.length > 0 ? null : content,
  refusal: null,
  ...(reasoning === '' ? {} : { reasoning }),
  ...(toolCalls.length === 0
    ? {}
    : {
        tool_calls: toolCalls.map(({ id, name, argumentsText }, index) => ({
          index,
          id,
          type: 'function',
          function: { name, arguments: argumentsText },
        })),
      }),
});

/** The `chat.completion`; of an answer that failed before its first word the error alone. */
const documentOf = (parts: Assembled): Readonly<Record<string, unknown>> => {
  const { error, usage, head } = parts;
  const finishReason = parts.finishReason ?? (error === undefined ? null : 'error');
  const isBare = isRecord(error) && parts.content === '' && parts.finishReason === null;
  if (isBare) return { error };
  const choice = {
    index: 0,
    logprobs: null,
    finish_reason: finishReason,
    native_finish_reason: finishReason,
    message: messageOf(parts),
    ...(error === undefined ? {} : { error }),
  };
  return { ...head, object: 'chat.completion', choices: [choice], ...(usage === undefined ? {} : { usage }) };
};

/**
 * The answer to a request without `stream`: what a mode says is put together, and sent as one JSON document when it
 * ends. An answer that breaks off in the stream, or has frames that are no JSON, is half a document here.
 */
export const createWholeWire = (res: ServerResponse, { generationId }: WireOptions): Wire => {
  const parts: Assembled = {
    head: {},
    content: '',
    reasoning: '',
    toolCalls: [],
    finishReason: null,
    usage: undefined,
    error: undefined,
    isGarbled: false,
  };
  return {
    open: () => undefined,
    raw: async (text) => {
      const isPlain = text.startsWith(':') || text.startsWith('data: [DONE]') || text.trim() === '';
      if (!isPlain) parts.isGarbled = true;
    },
    frame: async (body) => add(parts, body),
    end: () => {
      if (res.destroyed || res.headersSent) return;
      const json = JSON.stringify(documentOf(parts));
      const isWhole = !parts.isGarbled && (parts.finishReason !== null || parts.error !== undefined);
      const headers = { 'Content-Type': 'application/json', 'X-Generation-Id': generationId };
      res.writeHead(200, headers).end(isWhole ? json : json.slice(0, json.length / 2));
    },
  };
};
