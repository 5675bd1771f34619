import { completionSchema } from './openai.schemas.ts';
import { completionViewSchema, openAiModelListSchema, openAiModelSchema } from './openai.views.ts';
import type { Operation } from './openapi.operation.ts';

/** The door that OpenAI's SDKs fit. */
export const openAiOperations: readonly Operation[] = [
  {
    id: 'createChatCompletion',
    method: 'post',
    path: '/v1/chat/completions',
    tag: 'OpenAI',
    summary: 'Complete a conversation',
    description:
      'OpenAI’s Chat Completions, over the same router, limits and quotas as everything else; nothing is stored but what ' +
      'it used. `model` is `auto`, `auto:fast`, `auto:cheap`, one of `GET /v1/models`, or several, as a list or with commas ' +
      'between them; the answer names the one that answered. Fields that are not listed are ignored. With `stream: true` the ' +
      'answer comes as chunks, `data: [DONE]` last; an error after the first token is `data: {"error": …}`, and no ' +
      '`[DONE]` follows. `X-Router-Model`, `X-Router-Attempts` and `X-Router-Overhead-Ms` tell what the router did.',
    auth: 'user',
    isOpenAi: true,
    body: completionSchema,
    example: { model: 'auto', messages: [{ role: 'user', content: 'Explain idempotency in one sentence.' }] },
    answers: {
      200: { description: 'The answer, or the stream of it', schema: completionViewSchema, isEventStream: true },
    },
    errors: [],
  },
  {
    id: 'listOpenAiModels',
    method: 'get',
    path: '/v1/models',
    tag: 'OpenAI',
    summary: 'List the models, and the router’s own names for a choice among them',
    auth: 'user',
    isOpenAi: true,
    answers: { 200: { description: 'All of them', schema: openAiModelListSchema } },
    errors: [],
  },
  {
    id: 'getOpenAiModel',
    method: 'get',
    path: '/v1/models/{id}',
    tag: 'OpenAI',
    summary: 'Read a model',
    description: 'The `/` in an id may stand as it is.',
    auth: 'user',
    isOpenAi: true,
    answers: { 200: { description: 'The model', schema: openAiModelSchema } },
    errors: [],
  },
];
