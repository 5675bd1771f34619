import type { Request, RequestHandler } from 'express';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';

/** The route's template, so that ids do not become labels; addresses that do not exist share one. */
const routeOf = (req: Request): string => {
  const route: unknown = req.route;
  const path = route !== null && typeof route === 'object' && 'path' in route ? String(route.path) : null;
  return path === null ? 'none' : `${req.baseUrl}${path}`;
};

/** One line and one count per answer. The query string stays out: it can hold a ticket. */
export const accessLog = (logger: Logger, metrics: Metrics): RequestHandler => {
  const log = logger.child('http');
  return (req, res, next) => {
    const startedAt = performance.now();
    res.once('close', () => {
      const durationMs = Math.round(performance.now() - startedAt);
      const route = routeOf(req);
      metrics.request({ method: req.method, route, status: res.statusCode, durationMs });
      log.info('answered', {
        requestId: req.id,
        method: req.method,
        route,
        status: res.statusCode,
        durationMs,
        ...(req.actor ? { userId: req.actor.userId } : {}),
        ...(res.writableFinished ? {} : { cut: res.locals.cut ?? true }),
      });
    });
    next();
  };
};
