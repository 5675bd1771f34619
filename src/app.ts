import express, { type Express } from 'express';
import type { Container } from './container.ts';
import { acceptable } from './middleware/acceptable.ts';
import { accessLog } from './middleware/accessLog.ts';
import { createCors } from './middleware/cors.ts';
import { createCsrf } from './middleware/csrf.ts';
import { errorHandler } from './middleware/errorHandler.ts';
import { createIdentify } from './middleware/identify.ts';
import { createLargeJsonBody } from './middleware/largeJsonBody.ts';
import { notFound } from './middleware/notFound.ts';
import { openaiErrors } from './middleware/openaiErrors.ts';
import { requestId } from './middleware/requestId.ts';
import { assertPolicies, mount } from './middleware/routeTable.ts';
import { createSecurityHeaders } from './middleware/securityHeaders.ts';
import { startedAt } from './middleware/startedAt.ts';
import { createDocsRouter } from './routes/docs.routes.ts';
import { createHealthRouter } from './routes/health.routes.ts';
import { createApiRouter } from './routes/index.ts';
import { createOpenAiRouter } from './routes/openai.routes.ts';

/** The REST door, top to bottom as a request goes through it. */
export const createApp = (container: Container): Express => {
  const { config, logger, metrics, auth, origins, controllers, rateLimits } = container;
  const app = express();
  app.set('trust proxy', config.server.trustProxyHops);
  app.set('etag', false);
  app.disable('x-powered-by');
  // No answer has a validator, so a condition could only be met by `If-None-Match: *`, and for that there is no 304 here.
  Object.defineProperty(app.request, 'fresh', { value: false });

  app.use(requestId);
  app.use(accessLog(logger, metrics));
  app.use(createSecurityHeaders());
  app.use(createCors(origins));

  mount(app, '/', createHealthRouter(controllers.health));

  const docs = createDocsRouter(controllers.docs);
  mount(app, '/', docs);
  mount(app, '/api', docs);

  const largeBody = createLargeJsonBody(config.openai.bodyMaxBytes);
  app.use('/v1', startedAt, createIdentify(auth, origins), createCsrf(origins));
  mount(app, '/v1', createOpenAiRouter({ openai: controllers.openai, limits: rateLimits, largeBody }));
  app.use('/v1', openaiErrors(logger));

  app.use('/api', acceptable, createIdentify(auth, origins), createCsrf(origins));
  mount(app, '/api', createApiRouter({ ...controllers, limits: rateLimits }));

  app.use('/api', rateLimits.api, notFound);
  app.use(notFound);
  app.use(errorHandler(logger));
  assertPolicies(app);
  return app;
};
