import type { Request, Response } from 'express';
import { actorOf } from '../middleware/request.ts';
import { toSyncView, type SyncQuery } from '../schemas/sync.schemas.ts';
import type { ChatService } from '../services/chat/index.ts';

export const createSyncController = (chat: Pick<ChatService, 'sync'>) => ({
  sync: async (query: SyncQuery, req: Request, res: Response) => {
    res.json(toSyncView(await chat.sync(actorOf(req), query)));
  },
});

export type SyncController = ReturnType<typeof createSyncController>;
