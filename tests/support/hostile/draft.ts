import { PASSWORD } from '../http.ts';
import type { Random } from '../random.ts';
import type { Actor, IdKind } from './actors.ts';
import type { ApiDocument, Operation, Param } from './document.ts';
import { totpCode } from './totp.ts';
import { LEFT_OUT, validValue, type ValueTools } from './values.ts';
import type { WireRequest } from './wire.ts';

/**
 * Which answers are right. `documented`: those of the operation. `address`: also those of an address or method that is
 * none. `protocol`: also those that HTTP itself gives before the application sees the request, and a cut connection.
 */
export type Expectation = 'documented' | 'address' | 'protocol';

/** A request that is being made up. */
export interface Draft {
  readonly operation: Operation;
  readonly actor: Actor;
  method: string;
  path: string;
  query: string[];
  headers: [string, string][];
  /** JSON, or the fields of a form; undefined: no body. */
  body: unknown;
  /** Members that are written into the JSON text, behind those of `body`. */
  members: string[];
  /** Wins over `body`. */
  rawBody: Buffer | null;
  contentType: string | null;
  expects: Expectation;
  /** What was made hostile. */
  readonly marks: string[];
}

/** Ids and tokens that others have, and that no request of a stranger may reach. */
export interface Surroundings {
  readonly document: ApiDocument;
  readonly url: string;
  /** Whose things nobody may touch, not even admins: admins are only sent to `targets`. */
  readonly bystander: Actor;
  readonly targets: string[];
  readonly mailTokens: string[];
}

/** What a path with an id in it names. */
const PATH_IDS: readonly (readonly [pattern: RegExp, kinds: readonly IdKind[]])[] = [
  [/^\/api\/chat\/sessions\//, ['chat']],
  [/^\/api\/chat\/messages\/\{id\}\/(feedback|stream|stop)/, ['reply']],
  [/^\/api\/chat\/messages\//, ['question', 'question', 'reply']],
  [/^\/api\/auth\/sessions\//, ['login']],
  [/^\/api\/keys\//, ['key']],
];
/** An id that names nothing. */
export const NOTHING = '01900000-0000-7000-8000-000000000000';

/** The kinds of ids that may stand in a path; none for one that has no owner. */
export const idKindsOf = (path: string): readonly IdKind[] =>
  PATH_IDS.find(([pattern]) => pattern.test(path))?.[1] ?? [];

const idIn = (path: string, actor: Actor, { random, targets }: { random: Random; targets: string[] }): string => {
  if (path.startsWith('/api/admin/')) return targets.length > 0 ? random.pick(targets) : NOTHING;
  if (path.startsWith('/v1/models/')) return random.pick(['sim/echo', 'auto']);
  const kinds = idKindsOf(path);
  const ids = kinds.length === 0 ? [] : actor.ids[random.pick(kinds)];
  return ids.length > 0 ? random.pick(ids) : NOTHING;
};

/** What this actor would put into a field of this name. */
const knownOf =
  (operation: Operation, actor: Actor, { random, mailTokens }: { random: Random; mailTokens: string[] }) =>
  (name: string): unknown => {
    const one = (kind: IdKind): string | undefined =>
      actor.ids[kind].length > 0 ? random.pick(actor.ids[kind]) : undefined;
    const known: Record<string, () => unknown> = {
      chatId: () => one('chat') ?? NOTHING,
      parentId: () => (random.isTrue(0.5) ? null : one('reply')),
      activeLeafId: () => (random.isTrue(0.3) ? one('reply') : LEFT_OUT),
      messageId: () => one('reply'),
      chatOf: () => LEFT_OUT,
      content: () => (operation.path.startsWith('/v1') ? 'hello' : `${actor.canary} ${String(random.below(1000))}`),
      model: () => random.pick(['sim/echo', 'auto', 'sim/echo,sim/words:8']),
      username: () =>
        operation.id === 'login' || operation.id === 'token' ? actor.username : `h_${String(random.below(1e9))}`,
      email: () => (/signup|updateMe/.test(operation.id) ? undefined : actor.email),
      password: () => actor.password,
      currentPassword: () => actor.password,
      newPassword: () => PASSWORD,
      token: () => mailTokens.pop() ?? 'none',
      refreshToken: () => actor.refreshToken,
      refresh_token: () => actor.refreshToken,
      cursor: () => actor.cursors.get(operation.id),
      setupToken: () => actor.totp?.setupToken ?? 'none',
      // A recovery code is good without waiting for the next half minute.
      code: () => (operation.id === 'confirmTotp' ? totpCode(actor.totp?.secret ?? 'A') : LEFT_OUT),
      recoveryCode: () => actor.totp?.recoveryCodes.pop() ?? 'none',
      mfaToken: () => actor.mfaToken,
      messages: () => (random.isTrue(0.7) ? [{ role: 'user', content: 'hello' }] : undefined),
      systemPrompt: () => (random.isTrue(0.2) ? 'You are terse.' : LEFT_OUT),
      from: () => new Date(Date.now() - 86_400_000 * (1 + random.below(30))).toISOString(),
      to: () => new Date().toISOString(),
      action: () => 'login.failed',
      session: () => random.pick(['token', 'cookie']),
      role: () => (operation.id.startsWith('createChat') ? 'user' : undefined),
      // What a model is told as it came may be anything; the simulator's endpoint does not look.
      tools: () => null,
      response_format: () => null,
      stop: () => null,
      deviceToken: () => LEFT_OUT,
    };
    return Object.hasOwn(known, name) ? known[name]?.() : undefined;
  };

export const toolsFor = (operation: Operation, actor: Actor, random: Random, around: Surroundings): ValueTools => ({
  random,
  resolve: around.document.resolve,
  known: knownOf(operation, actor, { random, mailTokens: around.mailTokens }),
});

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const queryOf = (params: readonly Param[], tools: ValueTools): string[] =>
  params
    .filter((param) => param.in === 'query' && param.name !== 'ticket' && (param.required || tools.random.isTrue(0.25)))
    .filter(({ name }) => name !== 'cursor' || tools.known('cursor') !== undefined)
    .map(({ name, schema }) => `${name}=${encodeURIComponent(textOf(validValue(schema, name, tools)))}`);

const headersOf = (operation: Operation, actor: Actor, { random, url }: { random: Random; url: string }) => {
  const headers: [string, string][] = [];
  if (actor.token !== null) headers.push(['Authorization', `Bearer ${actor.token}`]);
  else if (actor.cookie !== null) headers.push(['Cookie', actor.cookie], ['Origin', url]);
  for (const param of operation.params) {
    if (param.in !== 'header' || !random.isTrue(0.2)) continue;
    headers.push([param.name, param.name === 'Last-Event-ID' ? `${NOTHING}:0` : `key-${String(random.below(1e9))}`]);
  }
  return headers;
};

/** Two names of one thing must agree. */
const bodyOf = (operation: Operation, headers: readonly [string, string][], tools: ValueTools): unknown => {
  if (operation.body === undefined) return undefined;
  const body = validValue(operation.body, '', tools);
  const hasKey = headers.some(([name]) => name === 'Idempotency-Key');
  if (hasKey && body !== null && typeof body === 'object' && 'clientMessageId' in body) delete body.clientMessageId;
  return body;
};

/** A request that the operation should accept, if the actor may. */
export const validDraft = (operation: Operation, actor: Actor, random: Random, around: Surroundings): Draft => {
  const tools = toolsFor(operation, actor, random, around);
  const id = idIn(operation.path, actor, { random, targets: around.targets });
  const headers = headersOf(operation, actor, { random, url: around.url });
  const body = bodyOf(operation, headers, tools);
  const contentType = operation.isForm ? 'application/x-www-form-urlencoded' : 'application/json';
  return {
    operation,
    actor,
    method: operation.method,
    path: operation.path.replaceAll(/\{\w+\}/g, () => id),
    query: queryOf(operation.params, tools),
    headers,
    body,
    members: [],
    rawBody: null,
    contentType: body === undefined ? null : contentType,
    expects: 'documented',
    marks: [],
  };
};

const jsonOf = ({ body, members }: Draft): string => {
  const text = JSON.stringify(body);
  if (members.length === 0 || !text.endsWith('}')) return text;
  return `${text.slice(0, -1)}${text.length > 2 ? ',' : ''}${members.join(',')}}`;
};

const formOf = (body: unknown): string =>
  new URLSearchParams(
    Object.entries(body ?? {}).map(([key, value]): [string, string] => [key, textOf(value)]),
  ).toString();

const bytesOf = (draft: Draft): Buffer | null => {
  if (draft.rawBody) return draft.rawBody;
  if (draft.body === undefined) return null;
  return Buffer.from(draft.operation.isForm ? formOf(draft.body) : jsonOf(draft));
};

/** What Node's client would refuse to send in a path is escaped; what it sends is left as hostile as it is. */
const sendable = (path: string): string =>
  path.replaceAll(/[\u0000-\u0020]|[^\u0000-\u00ff]+/g, (part) => encodeURIComponent(part.toWellFormed()));

/** What is judged less strictly stays so. */
export const expectNoLess = (draft: Draft, expects: Expectation): void => {
  if (draft.expects !== 'protocol') draft.expects = expects;
};

/** Near the 16 KB that Node takes of a request's head. */
const MAX_HEAD = 12_000;

/** Of what is no address at all, and of a head that is too large, HTTP itself decides. */
const isForHttp = (path: string, headers: Draft['headers']): boolean =>
  !/^\/[\u0021-\u007e]*$/.test(path) ||
  headers.reduce((size, [name, value]) => size + name.length + value.length + 4, path.length) > MAX_HEAD;

export const toWire = (draft: Draft): WireRequest => {
  const query = draft.query.length > 0 ? `?${draft.query.join('&')}` : '';
  const body = bytesOf(draft);
  const path = sendable(`${draft.path}${query}`);
  if (isForHttp(path, draft.headers)) draft.expects = 'protocol';
  const type: [string, string][] = draft.contentType === null ? [] : [['Content-Type', draft.contentType]];
  return {
    method: draft.method,
    path,
    headers: [...draft.headers, ...type],
    body,
  };
};
