import { Router } from 'express';
import type { DocsController } from '../controllers/docs.controller.ts';
import { endpoints } from './endpoints.ts';

/** The description of the API; mounted at the root and, for those who proxy only that, at `/api`. */
export const createDocsRouter = (docs: DocsController): Router => {
  const router = Router();
  endpoints(router, '/openapi.json', { get: [docs.openApi] });
  endpoints(router, '/docs', { get: [docs.page] });
  endpoints(router, '/docs/errors', { get: [docs.errors] });
  endpoints(router, '/docs/docs.css', { get: [docs.style] });
  endpoints(router, '/docs/docs.js', { get: [docs.script] });
  return router;
};
