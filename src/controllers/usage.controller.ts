import type { Request, Response } from 'express';
import { actorOf } from '../middleware/request.ts';
import {
  toUsageAttemptsView,
  toUsageView,
  type UsageAttemptsQuery,
  type UsageQuery,
} from '../schemas/usage.schemas.ts';
import type { UsageService } from '../services/usage/index.ts';

export const createUsageController = (usage: Pick<UsageService, 'summary' | 'attempts'>) => ({
  getUsage: async (query: UsageQuery, req: Request, res: Response) => {
    res.json(toUsageView(await usage.summary(actorOf(req), query)));
  },
  listAttempts: async (query: UsageAttemptsQuery, req: Request, res: Response) => {
    res.json(toUsageAttemptsView(await usage.attempts(actorOf(req), query)));
  },
});

export type UsageController = ReturnType<typeof createUsageController>;
