import { Router } from 'express';
import type { ChatController } from '../controllers/chat.controller.ts';
import type { RateLimits } from '../middleware/rateLimit.ts';
import { requireActor } from '../middleware/requireActor.ts';
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

  endpoints(router, '/message', { post: [requireActor, sends, withBody(postMessageSchema, chat.sendMessage)] });
  endpoints(router, '/batch', { post: [api, requireActor, withBody(batchSchema, chat.sendBatch)] });

  endpoints(router, '/sessions', {
    get: [api, requireActor, withQuery(listChatsSchema, chat.listChats)],
    post: [api, requireActor, withBody(createChatSchema, chat.createChat)],
  });
  endpoints(router, '/sessions/:id', {
    get: [api, requireActor, chat.getChat],
    patch: [api, requireActor, withBody(updateChatSchema, chat.updateChat)],
    delete: [api, requireActor, chat.deleteChat],
  });
  endpoints(router, '/sessions/:id/messages', {
    get: [api, requireActor, withQuery(listMessagesSchema, chat.listMessages)],
  });

  endpoints(router, '/history', {
    get: [api, requireActor, withQuery(historySchema, chat.history)],
    delete: [api, requireActor, withQuery(clearHistorySchema, chat.clearHistory)],
  });

  endpoints(router, '/messages/:id', {
    get: [api, requireActor, chat.getMessage],
    patch: [requireActor, sends, withBody(editMessageSchema, chat.editMessage)],
    delete: [api, requireActor, chat.deleteMessage],
  });
  endpoints(router, '/messages/:id/regenerate', {
    post: [requireActor, sends, withBody(regenerateSchema, chat.regenerate)],
  });
  endpoints(router, '/messages/:id/feedback', {
    post: [api, requireActor, withBody(giveFeedbackSchema, chat.giveFeedback)],
  });
  endpoints(router, '/messages/:id/stream', { get: [api, requireActor, withQuery(followSchema, chat.followReply)] });
  endpoints(router, '/messages/:id/stop', { post: [api, requireActor, chat.stopReply] });

  return router;
};
