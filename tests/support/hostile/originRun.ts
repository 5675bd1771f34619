import { io } from 'socket.io-client';
import { createApp } from '../../../src/app.ts';
import { routesOf, type DeclaredRoute } from '../../../src/middleware/routeTable.ts';
import { call } from '../http.ts';
import { createRandom } from '../random.ts';
import { refusedRaw } from '../rawSocket.ts';
import { startWorld } from '../world.ts';
import { createCasting, type Actor } from './actors.ts';
import { readDocument, type Operation } from './document.ts';
import { toWire, validDraft, type Surroundings } from './draft.ts';
import { portraitOf } from './portrait.ts';
import { createFindings, type Findings } from './tally.ts';
import { createWire, type Wire, type WireAnswer, type WireRequest } from './wire.ts';

/** The one origin that the server under test allows, besides its own. */
export const ALLOWED_ORIGIN = 'https://app.example.com';

/** Origins that look like an allowed one, and some that do not. @param url the server's own */
export const hostileOrigins = (url: string): readonly string[] => {
  const { port } = new URL(url);
  return [
    'https://evil.example',
    'null',
    'https://evil.app.example.com',
    'https://app.example.com.evil.example',
    'https://evilapp.example.com',
    'https://APP.example.com',
    'https://app.example.com:444',
    'http://app.example.com',
    'https://app.example.com@evil.example',
    'https://xn--pp-8ia.example.com',
    'https://app.example.com.',
    'file://',
    'data:text/html,x',
    `http://localhost:${port}`,
    `https://127.0.0.1:${port}`,
    `http://127.0.0.1.evil.example:${port}`,
  ];
};

const UNSAFE = new Set(['post', 'put', 'patch', 'delete']);

/** Every route that changes something, from the routers themselves. */
export const unsafeRoutes = (routes: readonly DeclaredRoute[]): readonly DeclaredRoute[] =>
  routes.filter(({ method }) => UNSAFE.has(method));

/** The router table of this source. */
export const readRouterTable = async (): Promise<readonly DeclaredRoute[]> => {
  const world = await startWorld();
  const routes = routesOf(createApp(world.node.container));
  await world.stop();
  return routes;
};

export interface OriginReport {
  readonly findings: Findings;
  readonly origins: number;
  readonly routes: number;
  readonly requests: number;
  readonly preflights: number;
  readonly upgrades: number;
  /** The same requests from the allowed origin, none of which was refused for it. */
  readonly controls: number;
}

const corsOf = ({ headers }: WireAnswer): boolean =>
  Object.keys(headers).some((name) => name.startsWith('access-control-allow'));

const codeOf = ({ text }: WireAnswer): string => {
  try {
    const body = JSON.parse(text) as { code?: string; error?: { code?: string } };
    return body.code ?? body.error?.code ?? '';
  } catch {
    return '';
  }
};
const isRefused = (answer: WireAnswer): boolean =>
  answer.status === 403 && /^origin_not_allowed$/i.test(codeOf(answer)) && !corsOf(answer);

/** How a browser's Socket.IO handshake from an origin is answered. */
const handshake = (url: string, headers: Record<string, string>, transport: 'polling' | 'websocket'): Promise<string> =>
  new Promise((resolve) => {
    const socket = io(url, { transports: [transport], extraHeaders: headers, forceNew: true, reconnection: false });
    const end = (what: string): void => {
      socket.close();
      resolve(what);
    };
    socket.once('connect', () => end('let in'));
    socket.once('connect_error', (error: Error & { data?: { code?: string } }) =>
      end(error.data?.code ?? error.message),
    );
  });

/** An address of the document for one of the routers. */
const operationOf = (operations: readonly Operation[], { method, path }: DeclaredRoute): Operation | undefined => {
  const documented = path.replaceAll(/[:*](\w+)/g, '{$1}');
  return operations.find((operation) => operation.method === method.toUpperCase() && operation.path === documented);
};

const withOrigin = (wire: WireRequest, origin: string): WireRequest => ({
  ...wire,
  headers: [...wire.headers.filter(([name]) => name !== 'Origin'), ['Origin', origin]],
});

const answerTo = async (send: Wire['send'], sent: WireRequest): Promise<WireAnswer> => {
  const answer = await send(sent);
  if ('failure' in answer) throw new Error(`${sent.method} ${sent.path}: ${answer.failure}`);
  return answer;
};

const checkUpgrades = async (url: string, origin: string, actor: Actor, findings: Findings): Promise<number> => {
  const headers = { Cookie: actor.cookie ?? '', Origin: origin };
  for (const transport of ['websocket', 'polling'] as const) {
    const seen = await handshake(url, headers, transport);
    if (seen !== 'ORIGIN_NOT_ALLOWED') findings.add(`Socket.IO over ${transport} from ${origin}`, seen);
  }
  const { status, body, headers: answered } = await refusedRaw(url, { headers });
  if (status !== 403 || body.code !== 'ORIGIN_NOT_ALLOWED' || answered['access-control-allow-origin'] !== undefined) {
    findings.add(`the raw WebSocket from ${origin}`, JSON.stringify(body));
  }
  return 3;
};

/** Asks every unsafe route and every upgrade from every hostile origin, with the cookies of somebody who is signed in. */
export const runOrigins = async (url: string, routes: readonly DeclaredRoute[]): Promise<OriginReport> => {
  const document = readDocument((await call(`${url}/openapi.json`)).body);
  const casting = createCasting(url);
  const findings = createFindings();
  const wire = createWire(url);
  const send = (sent: WireRequest): Promise<WireAnswer> => answerTo(wire.send, sent);
  const [actor, bystander] = await Promise.all([casting.make('cookie'), casting.make('user')]);
  const around: Surroundings = { document, url, bystander, targets: [bystander.id], mailTokens: [] };
  const random = createRandom(1);
  const requestOf = (route: DeclaredRoute, as: Actor): WireRequest => {
    const operation = operationOf(document.operations, route);
    if (!operation) throw new Error(`${route.method} ${route.path} is not documented`);
    return toWire(validDraft(operation, as, random, around));
  };
  const counts = { requests: 0, preflights: 0, upgrades: 0, controls: 0 };
  const unsafe = unsafeRoutes(routes);
  const before = await portraitOf(casting, actor);

  const checkRoute = async (route: DeclaredRoute, origin: string): Promise<void> => {
    const sent = withOrigin(requestOf(route, actor), origin);
    const answer = await send(sent);
    counts.requests += 1;
    if (!isRefused(answer))
      findings.add(
        `${route.method} ${route.path} from ${origin}`,
        `${String(answer.status)} ${answer.text.slice(0, 200)}`,
      );
    const headers = [...sent.headers, ['Access-Control-Request-Method', sent.method]] as const;
    const preflight = await send({
      ...sent,
      method: 'OPTIONS',
      headers: headers,
      body: null,
    });
    counts.preflights += 1;
    if (corsOf(preflight))
      findings.add(`a preflight of ${route.path} from ${origin}`, JSON.stringify(preflight.headers));
  };

  for (const origin of hostileOrigins(url)) {
    for (const route of unsafe) await checkRoute(route, origin);
    counts.upgrades += await checkUpgrades(url, origin, actor, findings);
  }
  if ((await portraitOf(casting, actor)) !== before) findings.add('something was changed', '');

  // Whoever may, may: or all of the above would be refused for another reason.
  for (const route of unsafe) {
    const answer = await send(withOrigin(requestOf(route, await casting.make('cookie')), ALLOWED_ORIGIN));
    counts.controls += 1;
    if (
      /origin_not_allowed/i.test(codeOf(answer)) ||
      answer.headers['access-control-allow-origin'] !== ALLOWED_ORIGIN
    ) {
      findings.add(`${route.method} ${route.path} from the allowed origin`, answer.text.slice(0, 200));
    }
  }
  const fresh = await casting.make('cookie');
  for (const transport of ['websocket', 'polling'] as const) {
    const seen = await handshake(url, { Cookie: fresh.cookie ?? '', Origin: ALLOWED_ORIGIN }, transport);
    if (seen !== 'let in') findings.add(`Socket.IO over ${transport} from the allowed origin`, seen);
  }
  wire.close();
  return { findings, origins: hostileOrigins(url).length, routes: unsafe.length, ...counts };
};
