import { sentMessageSchema } from './chat.schemas.ts';
import {
  batchResultsSchema,
  documentedBatchSchema,
  editMessageSchema,
  giveFeedbackSchema,
  regenerateSchema,
} from './control.schemas.ts';
import { messageSchema } from './message.schemas.ts';
import type { Operation } from './openapi.operation.ts';

/** What every operation that begins a reply has in common. */
const turn = {
  tag: 'Chat',
  auth: 'user',
  headers: { 'Idempotency-Key': 'The same thing as `clientMessageId`; when both are there they must agree' },
  answers: {
    200: { description: 'The final reply, or the stream of it', schema: sentMessageSchema, isEventStream: true },
    202: {
      description: 'Still being generated: follow it at `Location`',
      schema: sentMessageSchema,
      headers: ['Location'],
    },
  },
} as const;
const turnErrors = [
  'MODEL_NOT_AVAILABLE',
  'CHAT_NOT_FOUND',
  'MESSAGE_NOT_FOUND',
  'IDEMPOTENCY_CONFLICT',
  'CHAT_BUSY',
  'LLM_FAILED',
  'LLM_UNAVAILABLE',
  'LLM_TIMEOUT',
] as const;

/** What can be done with messages that are there, and with many at once. */
export const controlOperations: readonly Operation[] = [
  {
    ...turn,
    id: 'regenerate',
    method: 'post',
    path: '/api/chat/messages/{id}/regenerate',
    summary: 'Get another reply to the same message',
    description:
      'Names a reply, or the message it answers. The new reply is a sibling of the old ones, which stay; the chat’s ' +
      '`activeLeafId` moves to it. Answers, repeats and waits as a send does.',
    body: regenerateSchema,
    example: {},
    errors: turnErrors,
  },
  {
    ...turn,
    id: 'editMessage',
    method: 'patch',
    path: '/api/chat/messages/{id}',
    summary: 'Edit a message of yours',
    description:
      'The edited message is a sibling of the old one, which stays with all that hangs on it, and gets a reply of its own; ' +
      'the chat’s `activeLeafId` moves there. Answers, repeats and waits as a send does.',
    body: editMessageSchema,
    example: { content: 'Explain idempotency to a child.' },
    errors: ['CONTEXT_TOO_LONG', ...turnErrors],
  },
  {
    id: 'deleteMessage',
    method: 'delete',
    path: '/api/chat/messages/{id}',
    tag: 'Chat',
    summary: 'Delete a message with all that hangs on it',
    description:
      'Stops what runs there. If the chat shows one of the deleted messages, it shows the newest branch beside it ' +
      'afterwards. Other devices get `chat:updated` with `deletedMessageIds`.',
    auth: 'user',
    answers: { 204: { description: 'Gone' } },
    errors: ['MESSAGE_NOT_FOUND'],
  },
  {
    id: 'giveFeedback',
    method: 'post',
    path: '/api/chat/messages/{id}/feedback',
    tag: 'Chat',
    summary: 'Say what you think of a reply',
    description: 'Replaces what was said before.',
    auth: 'user',
    body: giveFeedbackSchema,
    example: { rating: 'up' },
    answers: { 200: { description: 'The reply with its feedback', schema: messageSchema } },
    errors: ['MESSAGE_NOT_FOUND'],
  },
  {
    id: 'sendBatch',
    method: 'post',
    path: '/api/chat/batch',
    tag: 'Chat',
    summary: 'Send what gathered while offline, in order',
    description:
      'Each item is a send and fails or succeeds by itself; replies are not waited for. `chatOf` names the ' +
      '`clientMessageId` of an earlier item whose new chat this one goes on with. The same batch again gives the same ids.',
    auth: 'user',
    body: documentedBatchSchema,
    example: { items: [{ content: 'Hello from the train.', clientMessageId: 'offline-1' }] },
    answers: { 200: { description: 'What became of each item', schema: batchResultsSchema } },
    errors: [],
  },
];
