import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { countOf, fieldOf, parseJson } from '../jsonValue.ts';
import type { SimulatedRequest } from './exchange.ts';
import type { SimulatedMessage } from './text.ts';

const readMessage = (value: unknown): SimulatedMessage[] => {
  const role = fieldOf(value, 'role');
  const content = fieldOf(value, 'content');
  return typeof role === 'string' && typeof content === 'string' ? [{ role, content }] : [];
};

/** The chat request in a body, or null when it is none that the simulator can stream an answer to. */
export const readChatRequest = async (req: IncomingMessage): Promise<SimulatedRequest | null> => {
  const body = parseJson(await text(req));
  const model = fieldOf(body, 'model');
  const messages = fieldOf(body, 'messages');
  if (typeof model !== 'string' || !Array.isArray(messages) || fieldOf(body, 'stream') !== true) return null;
  return { model, messages: messages.flatMap(readMessage), maxTokens: countOf(fieldOf(body, 'max_tokens')) };
};
