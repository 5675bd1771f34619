import { Router } from 'express';
import type { ChatController } from '../controllers/chat.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { withBody, withQuery } from '../middleware/withInput.ts';
import {
  clearHistorySchema,
  createChatSchema,
  followSchema,
  historySchema,
  listChatsSchema,
  listMessagesSchema,
  postMessageSchema,
  updateChatSchema,
} from '../schemas/chat.schemas.ts';
import { batchSchema, editMessageSchema, giveFeedbackSchema, regenerateSchema } from '../schemas/control.schemas.ts';
import { endpoints } from './endpoints.ts';

interface Parts {
  readonly chat: ChatController;
  readonly limits: Pick<RateLimits, 'api' | 'sends'>;
}

/** `/api/chat/…`. What begins a reply is counted inside the use case, where a known id is recognised; a batch also here. */
export const createChatRouter = ({ chat, limits: { api, sends } }: Parts): Router => {
  const router = Router();

  endpoints(router, '/message', { post: ['chat', sends, withBody(postMessageSchema, chat.sendMessage)] });
  endpoints(router, '/batch', { post: ['chat', api, withBody(batchSchema, chat.sendBatch)] });

  endpoints(router, '/sessions', {
    get: ['read', api, withQuery(listChatsSchema, chat.listChats)],
    post: ['chat', api, withBody(createChatSchema, chat.createChat)],
  });
  endpoints(router, '/sessions/:id', {
    get: ['read', api, chat.getChat],
    patch: ['chat', api, withBody(updateChatSchema, chat.updateChat)],
    delete: ['chat', api, chat.deleteChat],
  });
  endpoints(router, '/sessions/:id/messages', {
    get: ['read', api, withQuery(listMessagesSchema, chat.listMessages)],
  });

  endpoints(router, '/history', {
    get: ['read', api, withQuery(historySchema, chat.history)],
    delete: ['chat', api, withQuery(clearHistorySchema, chat.clearHistory)],
  });

  endpoints(router, '/messages/:id', {
    get: ['read', api, chat.getMessage],
    patch: ['chat', sends, withBody(editMessageSchema, chat.editMessage)],
    delete: ['chat', api, chat.deleteMessage],
  });
  endpoints(router, '/messages/:id/regenerate', {
    post: ['chat', sends, withBody(regenerateSchema, chat.regenerate)],
  });
  endpoints(router, '/messages/:id/feedback', {
    post: ['chat', api, withBody(giveFeedbackSchema, chat.giveFeedback)],
  });
  endpoints(router, '/messages/:id/stream', { get: ['read', api, withQuery(followSchema, chat.followReply)] });
  endpoints(router, '/messages/:id/stop', { post: ['chat', api, chat.stopReply] });

  return router;
};
