import type { RequestHandler, Router } from 'express';
import { methodNotAllowed } from '../middleware/methodNotAllowed.ts';

const METHODS = ['get', 'post', 'patch', 'put', 'delete'] as const;
type Method = (typeof METHODS)[number];

/**
 * Adds one address with all of its methods; any other method is answered 405 with `Allow` (RFC 9110 §15.5.6).
 * @example endpoints(router, '/me', { get: [requireActor, auth.me], delete: [requireActor, auth.deleteMe] })
 */
export const endpoints = (router: Router, path: string, methods: Partial<Record<Method, RequestHandler[]>>): void => {
  const route = router.route(path);
  const known = METHODS.filter((method) => methods[method] !== undefined);
  for (const method of known) route[method](...(methods[method] ?? []));
  route.all(methodNotAllowed(known));
};
