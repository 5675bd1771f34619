import { randomBytes } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import { newId } from '../../src/lib/ids.ts';
import type { ApiKey, Role, User } from '../../src/models/entities.ts';
import type { Access } from '../../src/services/auth/access.ts';
import { makeApiKey } from '../../src/services/auth/apiKeyToken.ts';
import { createAccessTokens } from '../../src/services/auth/tokens.ts';
import { firstTurn, newApiKey, newIdentity, newLogin, newUser, storeSettledTurn } from '../contract/stores/rows.ts';
import type { World } from './world.ts';

/** Everyone who could ask. `user` and the keys are the owner of the ids in the address; the others are not. */
export const COLUMNS = [
  'anonymous',
  'expired token',
  'revoked login',
  'disabled user',
  'expired key',
  'revoked key',
  'other user',
  'manager',
  'admin',
  'key:read',
  'key:chat',
  'user',
] as const;
export type Column = (typeof COLUMNS)[number];

const REFUSED: Partial<Record<Column, string>> = {
  anonymous: 'UNAUTHENTICATED',
  'expired token': 'TOKEN_EXPIRED',
  'revoked login': 'TOKEN_REVOKED',
  'disabled user': 'TOKEN_REVOKED',
  'expired key': 'TOKEN_EXPIRED',
  'revoked key': 'TOKEN_REVOKED',
};
const isKey = (column: Column): boolean => column.startsWith('key:');
const roleOf = (column: Column): Role => (column === 'manager' || column === 'admin' ? column : 'user');

/** Whether the policy lets somebody pass who is known. Written apart from the server's own table, on purpose. */
const ALLOWED: Readonly<Record<Access, (column: Column) => boolean>> = {
  public: () => true,
  refresh: (column) => !isKey(column),
  login: (column) => !isKey(column),
  read: () => true,
  chat: (column) => column !== 'key:read',
  manager: (column) => !isKey(column) && roleOf(column) !== 'user',
  admin: (column) => !isKey(column) && roleOf(column) === 'admin',
};

/** What must come of it: an error code; `foreign` for an id of another owner; `pass` for anything that is no refusal. */
export type Expected = string;

export const expectedOf = (access: Access, column: Column, hasForeignId: boolean): Expected => {
  if (access === 'public') return 'pass';
  const code = REFUSED[column];
  if (code !== undefined) return code;
  if (!ALLOWED[access](column)) return 'FORBIDDEN';
  const isOwner = column === 'user' || isKey(column);
  return hasForeignId && !isOwner ? 'foreign' : 'pass';
};

/** Somebody's things: made anew for each request that may take them away. */
export interface Things {
  readonly ownerId: string;
  readonly chatId: string;
  readonly questionId: string;
  readonly replyId: string;
  readonly loginId: string;
  readonly keyId: string;
  readonly identityId: string;
}

export interface Cast {
  readonly tokens: Readonly<Record<Column, string | null>>;
  readonly owner: string;
}

const hash = (): string => randomBytes(32).toString('hex');

/** Makes accounts and credentials through the stores: the doors are what is tested. */
export const createCasting = (world: World) => {
  const { stores, config } = world.node.container;
  const issuer = (now: number) => createAccessTokens(config.auth, { now: () => now });

  const logInAs = async (user: { id: string; role: Role }, now = Date.now()) => {
    const later = new Date(Date.now() + 86_400_000);
    const login = newLogin(user.id, { id: newId(), tokenHash: hash(), idleExpiresAt: later, expiresAt: later });
    await stores.logins.createLogin(login);
    return { loginId: login.id, token: issuer(now).issue(user, login.id, later).accessToken };
  };
  const addUser = async (role: Role = 'user', status: User['status'] = 'active') => {
    const user = newUser({ role, status });
    await stores.users.createUser(user);
    return user;
  };
  const addKey = async (ownerId: string, changes: Partial<ApiKey>): Promise<string> => {
    const { token, ...made } = makeApiKey();
    await stores.apiKeys.createKey(newApiKey(ownerId, { ...made, ...changes }), 10_000);
    return token;
  };

  const cast = async (): Promise<Cast> => {
    const [owner, other, manager, admin, disabled] = await Promise.all([
      addUser(),
      addUser(),
      addUser('manager'),
      addUser('admin'),
      addUser('user', 'disabled'),
    ]);
    const past = new Date(Date.now() - 1);
    const tokenOf = async (...login: Parameters<typeof logInAs>) => (await logInAs(...login)).token;
    const made = {
      'expired token': tokenOf(owner, Date.now() - 3_600_000),
      'revoked login': logInAs(owner).then(async ({ loginId, token }) => {
        await stores.logins.endLogin(owner.id, loginId, past);
        return token;
      }),
      'disabled user': tokenOf(disabled),
      'expired key': addKey(owner.id, { scopes: ['chat'], expiresAt: past }),
      'revoked key': addKey(owner.id, { scopes: ['chat'], revokedAt: past }),
      'other user': tokenOf(other),
      manager: tokenOf(manager),
      admin: tokenOf(admin),
      'key:read': addKey(owner.id, { scopes: ['read'] }),
      'key:chat': addKey(owner.id, { scopes: ['chat'] }),
      user: tokenOf(owner),
    };
    const entries = Object.entries(made).map(async ([column, token]) => [column, await token] as const);
    const tokens = { anonymous: null, ...Object.fromEntries(await Promise.all(entries)) } as Cast['tokens'];
    return { tokens, owner: owner.id };
  };

  const things = async (ownerId: string): Promise<Things> => {
    const { chat, reply } = await storeSettledTurn(
      stores,
      firstTurn(ownerId, { lease: { nodeId: 'matrix', until: new Date(Date.now() + 3_600_000) }, at: new Date() }),
    );
    const { loginId } = await logInAs({ id: ownerId, role: 'user' });
    const key = newApiKey(ownerId);
    await stores.apiKeys.createKey(key, 10_000);
    const identity = newIdentity(ownerId);
    await stores.identities.createIdentity(identity);
    const messages = { questionId: reply.parentId ?? '', replyId: reply.id };
    return { ownerId, chatId: chat.id, ...messages, loginId, keyId: key.id, identityId: identity.id };
  };

  return { cast, things, addUser };
};

export const connectAs = (url: string, token: string | null): Promise<Socket | string> =>
  new Promise((resolve) => {
    const auth = token === null ? {} : { token };
    const socket = io(url, { transports: ['websocket'], auth, forceNew: true, reconnection: false });
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', (error: Error & { data?: { code?: string } }) =>
      resolve(error.data?.code ?? 'unknown'),
    );
  });

/** What was seen that was not expected; and the table itself, a sign for each cell. */
export const createTable = () => {
  const rows = new Map<string, string[]>();
  const surprises: string[] = [];
  return {
    surprises,
    note: (
      row: string,
      column: Column,
      cell: { readonly expected: Expected; readonly seen: string; readonly isRight: boolean },
    ): void => {
      const { expected, seen, isRight } = cell;
      const signs = rows.get(row) ?? [];
      signs.push(isRight ? (expected === 'pass' ? '+' : expected === 'foreign' ? '0' : '-') : '!');
      rows.set(row, signs);
      if (!isRight) surprises.push(`${row} as ${column}: expected ${expected}, saw ${seen}`);
    },
    print: (): void => {
      const cells = [...rows.values()].reduce((sum, signs) => sum + signs.length, 0);
      const head = COLUMNS.map((column, index) => `${String(index + 1)} ${column}`).join(' · ');
      const lines = [...rows].map(([row, signs]) => `${row.padEnd(50)} ${signs.join(' ')}`);
      process.stdout.write(
        `${head}\n${lines.join('\n')}\n+ passes, 0 not found, - refused\n` +
          `authorization matrix: ${String(rows.size)} rows × ${String(COLUMNS.length)} columns = ${String(cells)} cells, ` +
          `${String(surprises.length)} surprises\n`,
      );
    },
    size: () => rows.size,
  };
};
