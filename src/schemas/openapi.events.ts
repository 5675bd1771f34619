import { z } from 'zod';
import { chatSchema } from './chat.schemas.ts';
import { timestamp } from './common.ts';
import { replyEventSchema, type ReplyEvent } from './events.ts';
import { messageSchema } from './message.schemas.ts';
import type { JsonSchema, SchemaCollection } from './openapi.schemas.ts';
import { clientEvents, type ClientEventName, type ServerEvents } from './socketEvents.ts';

export interface EventDoc {
  readonly description: string;
  readonly payload: JsonSchema;
}

/** What OpenAPI has no words for: the events of a stream and of a socket. */
export interface EventsDoc {
  /** Server-sent events, with the same payloads as `chat:<event>` over a socket. */
  readonly sse: Readonly<Record<string, EventDoc>>;
  readonly clientToServer: Readonly<Record<string, EventDoc>>;
  readonly serverToClient: Readonly<Record<string, EventDoc>>;
}

const CLIENT: Readonly<Record<ClientEventName, string>> = {
  'chat:send':
    'Send a message. Ack once it is durable: `{ ok, chatId, userMessageId, messageId, clientMessageId, status, duplicate }`; the reply’s events follow',
  'chat:resume': 'Get what is missing of a reply and what is still to come. Ack: `{ ok, status, length }`',
  'chat:regenerate': 'Get another reply to the same message. Ack: as for `chat:send`',
  'chat:edit': 'Send a message of yours again in other words, as a branch of its own. Ack: as for `chat:send`',
  'chat:batch': 'Send what gathered while offline, in order. Ack: `{ ok, results }`, for each item what became of it',
  'chat:stop': 'Stop a reply and keep its text. Ack: like `chat:send`',
  'chat:sessions': 'List chats. Ack: `{ ok, items, nextCursor }`',
  'chat:history': 'Read messages. Ack: `{ ok, items, nextCursor }`',
  'chat:rename': 'Rename a chat. Ack: `{ ok, chat }`',
  'chat:delete': 'Delete a chat with its messages. Ack: `{ ok }`',
  'chat:sync': 'Get what changed in the account. Ack: `{ ok, chats, messages, deleted, cursor, more }`',
  'auth:refresh': 'Go on with a new access token. Ack: `{ ok, expiresAt }`',
};

const REPLY: Readonly<Record<ReplyEvent['type'], string>> = {
  start: 'The reply begins',
  delta: 'The reply grows: `text` begins at `offset`',
  reasoning: 'What the model thinks: live only, best effort, in no offset',
  switch: 'Another model goes on from `offset`',
  reset: 'Cut what you hold to `length`; rare',
  end: 'The reply is final; the stream ends',
  failed: 'The reply ended badly; what there is of it is kept. The stream ends',
};

type EntityEvent = Exclude<keyof ServerEvents, `chat:${ReplyEvent['type']}`>;

const chatOnly = z.object({ chat: chatSchema });
const ENTITIES: Readonly<Record<EntityEvent, readonly [description: string, schema: z.ZodType]>> = {
  'chat:message': [
    'A user message was stored, on whichever device; before `chat:start`',
    z.object({ message: messageSchema, chat: chatSchema }),
  ],
  'chat:message-updated': ['A message changed', z.object({ message: messageSchema })],
  'chat:created': ['A chat was made', chatOnly],
  'chat:updated': [
    'A chat changed; when messages of it were deleted, which',
    chatOnly.extend({ deletedMessageIds: z.array(z.string()).optional() }),
  ],
  'chat:deleted': ['A chat is gone', z.object({ chatId: z.string() })],
  'auth:expiring': ['The access token ends soon: send `auth:refresh`', z.object({ expiresAt: timestamp })],
  'server:closing': ['The server restarts: connect again, then `chat:resume`', z.object({ retryAfterMs: z.int() })],
};

/** The event maps, with every payload's schema. */
export const buildEvents = (schemas: SchemaCollection): EventsDoc => {
  const sse: Record<string, EventDoc> = {};
  const clientToServer: Record<string, EventDoc> = {};
  const serverToClient: Record<string, EventDoc> = {};

  const descriptions = new Map<string, string>(Object.entries(REPLY));
  for (const variant of replyEventSchema.options) {
    const name = variant.shape.type.value;
    sse[name] = { description: descriptions.get(name) ?? '', payload: schemas.output(variant) };
    serverToClient[`chat:${name}`] = sse[name];
  }
  for (const [name, [description, schema]] of Object.entries(ENTITIES)) {
    serverToClient[name] = { description, payload: schemas.output(schema) };
  }
  const payloads = new Map<string, z.ZodType>(Object.entries(clientEvents));
  for (const [name, description] of Object.entries(CLIENT)) {
    const schema = payloads.get(name);
    if (schema) clientToServer[name] = { description, payload: schemas.input(schema) };
  }
  return { sse, clientToServer, serverToClient };
};
