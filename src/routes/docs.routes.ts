import { Router } from 'express';
import type { DocsController } from '../controllers/docs.controller.ts';
import { endpoints } from './endpoints.ts';

/** The description of the API; mounted at the root and, for those who proxy only that, at `/api`. */
export const createDocsRouter = (docs: DocsController): Router => {
  const router = Router();
  endpoints(router, '/openapi.json', { get: ['public', docs.openApi] });
  endpoints(router, '/docs', { get: ['public', docs.page] });
  endpoints(router, '/docs/errors', { get: ['public', docs.errors] });
  endpoints(router, '/docs/docs.css', { get: ['public', docs.style] });
  endpoints(router, '/docs/docs.js', { get: ['public', docs.script] });
  return router;
};
