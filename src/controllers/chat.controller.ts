import type { Request, Response } from 'express';
import type { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { actorOf } from '../middleware/request.ts';
import {
  idempotencyKeySchema,
  toChatView,
  type clearHistorySchema,
  type CreateChat,
  type historySchema,
  type ListChats,
  type ListMessages,
  type postMessageSchema,
  type UpdateChat,
} from '../schemas/chat.schemas.ts';
import type { Batch, editMessageSchema, GiveFeedback, regenerateSchema } from '../schemas/control.schemas.ts';
import type { Page } from '../schemas/common.ts';
import { toMessageView } from '../schemas/message.schemas.ts';
import { parseInput } from '../schemas/problem.ts';
import type { ChatService, SentMessage } from '../services/chat/index.ts';
import { answerWithReply } from './replyAnswer.ts';
import { admitStream, streamReply, wantsEventStream, type StreamGate } from './replyStream.ts';

export interface ChatControllerOptions {
  readonly chat: ChatService;
  /** Milliseconds that a JSON answer waits for the reply. */
  readonly responseWaitMs: number;
  /** Lets event streams in. */
  readonly gate: StreamGate;
  /** Aborted when the server shuts down and open answers must end. */
  readonly closing: AbortSignal;
}

interface Exchange {
  readonly stream: boolean | undefined;
  readonly req: Request;
  readonly res: Response;
}

/** The `Idempotency-Key` header is the same thing as `clientMessageId`. */
const withIdempotencyKey = <T extends { clientMessageId?: string | undefined }>(
  input: T,
  header: string | undefined,
): T => {
  if (header === undefined) return input;
  const clientMessageId = parseInput(idempotencyKeySchema, header);
  if (input.clientMessageId !== undefined && input.clientMessageId !== clientMessageId) {
    const message = 'must equal the Idempotency-Key header';
    throw new AppError('VALIDATION_FAILED', { errors: [{ path: 'clientMessageId', message }] });
  }
  return { ...input, clientMessageId };
};

const pageView = <T, V>(page: Page<T>, toView: (item: T) => V) => ({
  items: page.items.map(toView),
  nextCursor: page.nextCursor,
});

const idOf = (req: Request): string => String(req.params.id);

export const createChatController = ({ chat, responseWaitMs, gate, closing }: ChatControllerOptions) => {
  /** Begins a reply and answers with it: as server-sent events, or as JSON when it is final. */
  const answer = async (
    { stream, req, res }: Exchange,
    begin: (key: string | undefined) => Promise<SentMessage>,
  ): Promise<void> => {
    const isStream = stream ?? wantsEventStream(req);
    if (isStream) admitStream(gate, req, res);
    const sent = await begin(req.get('Idempotency-Key'));
    if (isStream) await streamReply({ reply: sent.reply, offset: 0, closing, req, res });
    else await answerWithReply({ sent, waitMs: responseWaitMs, closing, req, res });
  };

  return {
    sendMessage: ({ stream, ...fields }: z.infer<typeof postMessageSchema>, req: Request, res: Response) =>
      answer({ stream, req, res }, (key) => chat.sendMessage(actorOf(req), withIdempotencyKey(fields, key))),
    regenerate: ({ stream, ...fields }: z.infer<typeof regenerateSchema>, req: Request, res: Response) =>
      answer({ stream, req, res }, (key) => chat.regenerate(actorOf(req), idOf(req), withIdempotencyKey(fields, key))),
    editMessage: ({ stream, ...fields }: z.infer<typeof editMessageSchema>, req: Request, res: Response) =>
      answer({ stream, req, res }, (key) => chat.editMessage(actorOf(req), idOf(req), withIdempotencyKey(fields, key))),
    sendBatch: async (body: Batch, req: Request, res: Response) => {
      res.json({ results: await chat.sendBatch(actorOf(req), body) });
    },

    createChat: async (body: CreateChat, req: Request, res: Response) => {
      const created = await chat.createChat(actorOf(req), body);
      res.status(201).location(`/api/chat/sessions/${created.id}`).json(toChatView(created));
    },
    listChats: async (query: ListChats, req: Request, res: Response) => {
      res.json(pageView(await chat.listChats(actorOf(req), query), toChatView));
    },
    getChat: async (req: Request, res: Response) => {
      res.json(toChatView(await chat.getChat(actorOf(req), idOf(req))));
    },
    updateChat: async (body: UpdateChat, req: Request, res: Response) => {
      res.json(toChatView(await chat.updateChat(actorOf(req), idOf(req), body)));
    },
    deleteChat: async (req: Request, res: Response) => {
      await chat.deleteChat(actorOf(req), idOf(req));
      res.status(204).end();
    },

    listMessages: async (query: ListMessages, req: Request, res: Response) => {
      res.json(pageView(await chat.listMessages(actorOf(req), idOf(req), query), toMessageView));
    },
    history: async (query: z.infer<typeof historySchema>, req: Request, res: Response) => {
      res.json(pageView(await chat.listMessages(actorOf(req), query.chatId, query), toMessageView));
    },
    clearHistory: async (query: z.infer<typeof clearHistorySchema>, req: Request, res: Response) => {
      if (query.chatId === undefined) await chat.deleteChats(actorOf(req));
      else await chat.clearChat(actorOf(req), query.chatId);
      res.status(204).end();
    },

    getMessage: async (req: Request, res: Response) => {
      res.json(toMessageView(await chat.getMessage(actorOf(req), idOf(req))));
    },
    deleteMessage: async (req: Request, res: Response) => {
      await chat.deleteMessage(actorOf(req), idOf(req));
      res.status(204).end();
    },
    giveFeedback: async (body: GiveFeedback, req: Request, res: Response) => {
      res.json(toMessageView(await chat.giveFeedback(actorOf(req), idOf(req), body)));
    },
    stopReply: async (req: Request, res: Response) => {
      res.json(toMessageView(await chat.stopReply(actorOf(req), idOf(req))));
    },
    followReply: async (query: { offset?: number | undefined }, req: Request, res: Response) => {
      admitStream(gate, req, res);
      const reply = await chat.getReply(actorOf(req), idOf(req));
      await streamReply({ reply, offset: query.offset ?? 0, closing, req, res });
    },
  };
};

export type ChatController = ReturnType<typeof createChatController>;
