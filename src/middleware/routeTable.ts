import type { Application, IRouter, RequestHandler } from 'express';
import { isAccess, type Access } from '../services/auth/access.ts';
import { methodNotAllowed } from './methodNotAllowed.ts';
import { requireAccess } from './requireAccess.ts';

const METHODS = ['get', 'post', 'patch', 'put', 'delete'] as const;
export type Method = (typeof METHODS)[number];

/** Who may use it; what counts its requests; then the rest, which only those get to. */
export type Endpoint = readonly [access: Access, ...handlers: readonly RequestHandler[]];

/** A method of an address and who may use it. */
export interface DeclaredRoute {
  readonly method: Method;
  readonly path: string;
  readonly access: Access;
}

interface Table {
  readonly routes: DeclaredRoute[];
  readonly mounts: { readonly prefix: string; readonly router: IRouter }[];
}

/** What was declared on each router; kept beside them, because Express forgets the addresses it was given. */
const tables = new WeakMap<object, Table>();
/** The routes of Express that were made here. */
const known = new WeakSet();

const tableOf = (router: object): Table => {
  const table = tables.get(router) ?? { routes: [], mounts: [] };
  tables.set(router, table);
  return table;
};

/**
 * Adds one address with its methods and the policy of each; any other method is answered 405 with `Allow`.
 * @throws Error when a method declares no policy
 */
export const addRoute = (router: IRouter, path: string, methods: Partial<Record<Method, Endpoint>>): void => {
  const route = router.route(path);
  known.add(route);
  const given = METHODS.filter((method) => methods[method] !== undefined);
  for (const method of given) {
    const [access, first, ...rest] = methods[method] ?? [];
    if (!isAccess(access) || !first) throw new Error(`${method} ${path} declares no policy`);
    tableOf(router).routes.push({ method, path, access });
    route[method](first, requireAccess(access), ...rest);
  }
  route.all(methodNotAllowed(given));
};

/** Hands the addresses below a prefix to a router of their own. */
export const mount = (parent: IRouter, prefix: string, router: IRouter): void => {
  tableOf(parent).mounts.push({ prefix, router });
  parent.use(prefix, router);
};

const join = (prefix: string, path: string): string => `${prefix}${path}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1');

/** Every route below a router, with its whole address. */
export const routesOf = (router: IRouter): readonly DeclaredRoute[] => {
  const { routes, mounts } = tableOf(router);
  const below = mounts.flatMap((part) =>
    routesOf(part.router).map((route) => ({ ...route, path: join(part.prefix, route.path) })),
  );
  return [...routes, ...below];
};

const checkLayers = (layers: IRouter['stack'], mounted: ReadonlySet<unknown>): void => {
  for (const { route, handle } of layers) {
    if (route && !known.has(route)) throw new Error(`the route ${route.path} declares no policy`);
    if (!('stack' in handle)) continue;
    if (!mounted.has(handle)) throw new Error('a router was added without mount: nobody knows its addresses');
  }
};

/**
 * Makes sure that no route got past the tables: deny by default begins with knowing what there is (OWASP API5).
 * @throws Error naming a route without a policy
 */
export const assertPolicies = (app: Application): void => {
  const check = (layers: IRouter['stack'], { mounts }: Table): void => {
    checkLayers(layers, new Set(mounts.map(({ router }) => router)));
    for (const { router } of mounts) check(router.stack, tableOf(router));
  };
  check(app.router.stack, tableOf(app));
};
