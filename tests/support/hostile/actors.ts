import { randomBytes } from 'node:crypto';
import { call, PASSWORD, type Answer } from '../http.ts';

export const KINDS = ['anonymous', 'user', 'other', 'cookie', 'manager', 'admin', 'key:chat', 'key:read'] as const;
export type Kind = (typeof KINDS)[number];

export const ID_KINDS = ['chat', 'question', 'reply', 'login', 'key'] as const;
export type IdKind = (typeof ID_KINDS)[number];

/** Who makes requests, and what they have. */
export interface Actor {
  readonly kind: Kind;
  /** Stands in the chats of this actor and nowhere else. */
  readonly canary: string;
  readonly id: string;
  readonly username: string;
  readonly email: string;
  readonly password: string;
  token: string | null;
  refreshToken: string;
  /** `Cookie` of a browser; null for who sends none. */
  cookie: string | null;
  readonly ids: Record<IdKind, string[]>;
  /** A second factor that was offered, and a login that waits for one. */
  totp: { readonly secret: string; readonly setupToken: string; readonly recoveryCodes: string[] } | null;
  mfaToken: string;
  /** Cursors that lists have given, by operation. */
  readonly cursors: Map<string, string>;
}

const ANONYMOUS = (): Actor => ({
  kind: 'anonymous',
  canary: '',
  id: '',
  username: 'nobody',
  email: 'nobody@example.com',
  password: PASSWORD,
  token: null,
  refreshToken: 'none',
  cookie: null,
  totp: null,
  mfaToken: 'none',
  ids: { chat: [], question: [], reply: [], login: [], key: [] },
  cursors: new Map(),
});

/** An answer that a set-up needs. @throws Error when it is another */
const must = (answer: Answer, status: number): Answer => {
  if (answer.status === status) return answer;
  throw new Error(`set-up: ${String(answer.status)} ${JSON.stringify(answer.body).slice(0, 300)}`);
};

/** `name=value` of each cookie that an answer sets, as a browser would send them all back. */
export const cookiesOf = (setCookies: readonly string[]): string =>
  setCookies.map((line) => line.split(';', 1)[0] ?? '').join('; ');

export interface Casting {
  readonly make: (kind: Kind) => Promise<Actor>;
  /** A user for admins to do things to. */
  readonly makeTarget: () => Promise<string>;
  readonly as: (actor: Actor, method: string, path: string, json?: unknown) => Promise<Answer>;
}

/** Makes actors through the public door. @param admin the name of the admin of the first start */
export const createCasting = (url: string, admin = 'admin'): Casting => {
  const send = (method: string, path: string, json?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    call(`${url}${path}`, { method, headers, ...(json === undefined ? {} : { json }) });
  const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

  const signUp = async (session: 'cookie' | 'token') => {
    const username = `h_${randomBytes(6).toString('hex')}`;
    const account = { username, email: `${username}@example.com`, password: PASSWORD };
    const answer = must(await send('POST', '/api/auth/signup', { ...account, session }), 201);
    return { ...account, answer };
  };
  const promote = async (id: string, username: string, role: string): Promise<Answer> => {
    const { body } = must(
      await send('POST', '/api/auth/login', { username: admin, password: PASSWORD, session: 'token' }),
      200,
    );
    must(await send('PATCH', `/api/admin/users/${id}`, { role }, bearer(body.accessToken)), 200);
    must(await send('POST', '/api/auth/logout', {}, bearer(body.accessToken)), 204);
    return must(await send('POST', '/api/auth/login', { username, password: PASSWORD, session: 'token' }), 200);
  };
  const makeKey = async (token: string, scopes: readonly string[]): Promise<{ id: string; key: string }> => {
    const { body } = must(await send('POST', '/api/keys', { name: 'made', scopes }, bearer(token)), 201);
    return { id: body.id, key: body.key ?? body.token };
  };

  const furnish = async (actor: Actor, token: string): Promise<void> => {
    for (const text of ['one', 'two']) {
      const content = `${actor.canary} ${text}`;
      const { body } = must(await send('POST', '/api/chat/message', { content, stream: false }, bearer(token)), 200);
      actor.ids.chat.push(body.chat.id);
      actor.ids.question.push(body.userMessage.id);
      actor.ids.reply.push(body.message.id);
    }
    const { body: login } = must(
      await send('POST', '/api/auth/login', { username: actor.username, password: PASSWORD, session: 'token' }),
      200,
    );
    const { body } = must(await send('GET', '/api/auth/sessions', undefined, bearer(login.accessToken)), 200);
    actor.ids.login.push(body.items[0].id);
    actor.ids.key.push((await makeKey(token, ['read'])).id);
  };

  const credentialsOf = async (kind: Kind, token: string): Promise<string | null> => {
    if (kind === 'cookie') return null;
    return kind.startsWith('key:') ? (await makeKey(token, [kind.slice('key:'.length)])).key : token;
  };

  const make = async (kind: Kind): Promise<Actor> => {
    if (kind === 'anonymous') return ANONYMOUS();
    const { answer, ...account } = await signUp(kind === 'cookie' ? 'cookie' : 'token');
    const { id } = answer.body.user;
    const login = kind === 'admin' || kind === 'manager' ? await promote(id, account.username, kind) : answer;
    const token: string = login.body.accessToken;
    const actor: Actor = {
      ...ANONYMOUS(),
      ...account,
      kind,
      canary: `canary-${randomBytes(6).toString('hex')}`,
      id,
      token: await credentialsOf(kind, token),
      refreshToken: login.body.refreshToken ?? 'none',
      cookie: kind === 'cookie' ? cookiesOf(answer.headers.getSetCookie()) : null,
    };
    await furnish(actor, token);
    return actor;
  };

  return {
    make,
    makeTarget: async () => (await signUp('token')).answer.body.user.id,
    as: (actor, method, path, json) => {
      const credentials = actor.token === null ? { Cookie: actor.cookie ?? '', Origin: url } : bearer(actor.token);
      return send(method, path, json, credentials);
    },
  };
};
