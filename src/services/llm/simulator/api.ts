import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { creditsView, keyView, type Account } from './account.ts';
import { generationView } from './books.ts';
import { endpointsEntry, modelEntry } from './catalogue.ts';
import type { Ledger } from './ledger.ts';
import { errorBody } from './modes/mode.ts';
import type { Player } from './play.ts';
import { readChatRequest } from './request.ts';
import type { Settings } from './settings.ts';

export interface ApiParts {
  readonly apiKey: string;
  readonly models: readonly string[];
  readonly settings: Settings;
  readonly ledger: Ledger;
  readonly account: Account;
  readonly player: Player;
}

export const sendJson = (res: ServerResponse, status: number, body: unknown): void => {
  res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
};

const REFUSALS = { 400: 'invalid_request', 401: 'authentication', 404: 'not_found' } as const;

const refuse = (res: ServerResponse, status: keyof typeof REFUSALS, message: string): void =>
  sendJson(res, status, errorBody(status, REFUSALS[status], message));

/** Why the request may not use the key; null when it may. */
const unauthorized = (authorization: string | undefined, apiKey: string): string | null => {
  if (authorization === undefined) return 'Missing Authentication header';
  const given = Buffer.from(authorization);
  const right = Buffer.from(`Bearer ${apiKey}`);
  return given.length === right.length && timingSafeEqual(given, right) ? null : 'User not found.';
};

/** What OpenRouter answers besides chat: the path after `/v1`, and whether the key is asked for. */
const createLookups = ({ models, settings, ledger, account }: ApiParts) => {
  const figures = () => ({
    account,
    spentMicroUsd: ledger.spentMicroUsd,
    creditMicroUsd: settings.current.creditMicroUsd,
  });
  const listed = (): readonly string[] => [...new Set([...models, ...Object.keys(settings.current.models)])];
  const generation = (id: string) => {
    const found = ledger.find(id);
    const isReady = found !== null && settings.now() >= found.settledAt + settings.current.generationDelayMs;
    return isReady ? generationView(found) : null;
  };
  const endpoints = (path: string) => {
    const id = /^\/models\/(.+)\/endpoints$/.exec(path)?.[1];
    if (id === undefined || (!listed().includes(id) && !id.startsWith('sim/'))) return null;
    return { data: endpointsEntry(id, settings.ofModel(id)) };
  };

  return {
    /** Without a key. */
    open: (path: string): unknown => {
      if (path === '/models') return { data: listed().map((id) => modelEntry(id, settings.ofModel(id))) };
      if (path === '/models/count') return { data: { count: listed().length } };
      return endpoints(path);
    },
    /** With the key. */
    own: (path: string, query: URLSearchParams): unknown => {
      if (path === '/key') return keyView(figures());
      if (path === '/credits') return creditsView(figures());
      if (path === '/generation') return generation(query.get('id') ?? '');
      return null;
    },
  };
};

/** @param url path and query after `/v1` or `/__sim` */
export type Handler = (url: URL, req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** OpenRouter's interface: chat completions, and what one can look up (openrouter.ai/docs/api-reference). */
export const createApi = (parts: ApiParts): Handler => {
  const lookups = createLookups(parts);

  const chat = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const request = await readChatRequest(req);
    if (typeof request === 'string') refuse(res, 400, request);
    else await parts.player.play(request, res);
  };
  const lookUp = ({ pathname, searchParams }: URL, res: ServerResponse): void => {
    const found = lookups.open(pathname) ?? lookups.own(pathname, searchParams);
    if (found === null) refuse(res, 404, 'Not found');
    else sendJson(res, 200, found);
  };
  return async (url, req, res) => {
    const isOpen = req.method === 'GET' && lookups.open(url.pathname) !== null;
    const problem = isOpen ? null : unauthorized(req.headers.authorization, parts.apiKey);
    if (problem !== null) refuse(res, 401, problem);
    else if (req.method === 'POST' && url.pathname === '/chat/completions') await chat(req, res);
    else if (req.method === 'GET') lookUp(url, res);
    else refuse(res, 404, 'Not found');
  };
};
