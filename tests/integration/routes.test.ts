import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { globSync, readFileSync } from 'node:fs';
import { call } from '../support/http.ts';
import { startWorld, type World } from '../support/world.ts';

const METHODS = ['get', 'post', 'patch', 'put', 'delete'];
/** What the documentation page itself is made of. */
const PAGE_PARTS = ['/docs/docs.css', '/docs/docs.js'];

let world: World;
let paths: Record<string, Record<string, unknown>>;

beforeAll(async () => {
  world = await startWorld();
  paths = (await call(`${world.url}/openapi.json`)).body.paths;
});
afterAll(() => world.stop());

test('every documented address answers exactly the documented methods', async () => {
  for (const [path, item] of Object.entries(paths)) {
    const documented = METHODS.filter((method) => item[method] !== undefined);
    // An unknown method is answered with those that the address knows.
    const { status, headers } = await call(`${world.url}${path.replaceAll(/\{\w+\}/g, 'x')}`, { method: 'PROPFIND' });
    const known = (headers.get('Allow') ?? '').toLowerCase().split(', ');
    expect([path, status, known.filter((method) => METHODS.includes(method))]).toEqual([path, 405, documented]);
  }
});

test('every address in a routing table is documented', () => {
  const tables = globSync('src/routes/*.routes.ts').map((file) => readFileSync(file, 'utf8'));
  const routed = tables.flatMap((table) =>
    [...table.matchAll(/endpoints\(\s*router,\s*'([^']+)'/g)].map(([, path = '']) => path),
  );
  expect(routed.length).toBeGreaterThan(15);
  const documented = Object.keys(paths);
  for (const path of routed.filter((routedPath) => !PAGE_PARTS.includes(routedPath))) {
    const pattern = path === '/' ? '/token' : path.replaceAll(/[:*](\w+)/g, '{$1}');
    expect(documented.some((known) => known.endsWith(pattern)) ? path : `${path} is not documented`).toBe(path);
  }
});
