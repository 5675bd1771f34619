import type { Request, Response } from 'express';
import { toModelListView } from '../schemas/models.schemas.ts';
import type { LlmRouter } from '../services/llm/index.ts';

export const createModelsController = (router: LlmRouter) => ({
  listModels: (_req: Request, res: Response): void => {
    res.json(toModelListView(router.models(), router.isSimulated));
  },
});

export type ModelsController = ReturnType<typeof createModelsController>;
