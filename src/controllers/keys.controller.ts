import type { Request, Response } from 'express';
import type { z } from 'zod';
import { actorOf } from '../middleware/request.ts';
import { pageView } from '../schemas/common.ts';
import { toKeyView, type CreateKey } from '../schemas/keys.schemas.ts';
import type { pageSchema } from '../schemas/logins.schemas.ts';
import type { AuthService } from '../services/auth/index.ts';

/** API keys over REST. */
export const createKeysController = (auth: Pick<AuthService, 'listKeys' | 'createKey' | 'revokeKey'>) => ({
  listKeys: async (query: z.output<typeof pageSchema>, req: Request, res: Response) => {
    res.json(pageView(await auth.listKeys(actorOf(req), query), toKeyView));
  },
  createKey: async (body: CreateKey, req: Request, res: Response) => {
    const { key, token } = await auth.createKey(actorOf(req), body);
    res.status(201).json({ ...toKeyView(key), key: token });
  },
  revokeKey: async (req: Request, res: Response) => {
    await auth.revokeKey(actorOf(req), String(req.params.id));
    res.status(204).end();
  },
});

export type KeysController = ReturnType<typeof createKeysController>;
