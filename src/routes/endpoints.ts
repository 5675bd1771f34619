import type { RequestHandler, Router } from 'express';
import { methodNotAllowed } from '../middleware/methodNotAllowed.ts';

type Method = 'get' | 'post' | 'patch' | 'put' | 'delete';

/**
 * Adds one address with all of its methods; any other method is answered 405 with `Allow` (RFC 9110 §15.5.6).
 * @example endpoints(router, '/me', { get: [requireActor, auth.me], delete: [requireActor, auth.deleteMe] })
 */
export const endpoints = (router: Router, path: string, methods: Partial<Record<Method, RequestHandler[]>>): void => {
  const route = router.route(path);
  for (const [method, handlers] of Object.entries(methods)) route[method as Method](...handlers);
  route.all(methodNotAllowed(Object.keys(methods)));
};
