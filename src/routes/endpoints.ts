import type { IRouter } from 'express';
import { addRoute, mount, type Endpoint, type Method } from '../middleware/routeTable.ts';

export { mount, type Endpoint };

/**
 * Adds one address with all of its methods: for each who may use it (`services/auth/access.ts`), its limit, its handlers.
 * Any other method is answered 405 with `Allow` (RFC 9110 §15.5.6).
 * @example endpoints(router, '/me', { get: ['login', limits.api, auth.me], delete: ['login', limits.api, auth.deleteMe] })
 */
export const endpoints = (router: IRouter, path: string, methods: Partial<Record<Method, Endpoint>>): void =>
  addRoute(router, path, methods);
