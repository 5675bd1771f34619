import { afterEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { withDevelopmentSecrets } from '../../src/config/developmentSecrets.ts';
import { loadConfig } from '../../src/config/index.ts';
import { bearer, newAccount, signUp } from '../support/accounts.ts';
import { startWorld, type World } from '../support/world.ts';

const worlds: World[] = [];
const dirs: string[] = [];
const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'parley-start-'));
  dirs.push(dir);
  return dir;
};
const start = async (dataDir: string, env: Record<string, string> = {}): Promise<World> => {
  const world = await startWorld({ dataDir, env: { ADMIN_PASSWORD: '', ...env } });
  worlds.push(world);
  return world;
};
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8);
const isPosix = process.platform !== 'win32';
const login = (world: World, username: string, password: string) =>
  request(world.url).post('/api/auth/login').send({ username, password });
const production = { NODE_ENV: 'production', JWT_SECRET: 'k3Zr8mQw5Tn1Vb7Xc9Lp2Hs4Jd6Gf0Ya', BCRYPT_COST: '10' };

describe('the first admin', () => {
  test('in development without a password, gets one in a file that only its owner may read, and never in the log', async () => {
    const dir = newDir();
    const world = await start(dir);
    const file = join(dir, 'admin-password');
    const password = readFileSync(file, 'utf8').trim();
    expect(password).toMatch(/^[\w-]{27}$/);
    if (isPosix) expect(mode(file)).toBe('600');
    expect((await login(world, 'admin', password)).body.user).toMatchObject({ role: 'admin', emailVerified: true });
    expect(world.logText()).not.toContain(password);
    expect(world.logs()).toContainEqual(
      expect.objectContaining({ message: 'first admin made', username: 'admin', file }),
    );
  });

  test('at the next start is not made again, and keeps its password', async () => {
    const dir = newDir();
    const first = await start(dir);
    const password = readFileSync(join(dir, 'admin-password'), 'utf8').trim();
    await first.stop();
    worlds.length = 0;
    const second = await start(dir, { ADMIN_PASSWORD: 'Another-Admin-9', ADMIN_USERNAME: 'root' });
    expect((await login(second, 'admin', password)).status).toBe(200);
    expect((await login(second, 'root', 'Another-Admin-9')).status).toBe(401);
  });

  test('is made from ADMIN_*, and then no file is', async () => {
    const dir = newDir();
    const env = { ADMIN_USERNAME: 'chief', ADMIN_EMAIL: 'Chief@Example.com', ADMIN_PASSWORD: 'Another-Admin-9' };
    const world = await start(dir, env);
    const { body } = await login(world, 'chief@example.com', 'Another-Admin-9');
    expect(body.user).toMatchObject({ username: 'chief', email: 'chief@example.com', role: 'admin' });
    expect(() => statSync(join(dir, 'admin-password'))).toThrow('ENOENT');
    const me = await request(world.url).get('/api/auth/me').set(bearer(body.accessToken));
    expect(me.body.user.role).toBe('admin');
  });

  test('in production without a password, is not made, and the log says so', async () => {
    const dir = newDir();
    const world = await start(dir, production);
    expect(await world.node.container.stores.users.hasAdmin()).toBe(false);
    expect(() => statSync(join(dir, 'admin-password'))).toThrow('ENOENT');
    expect(world.logs()).toContainEqual(
      expect.objectContaining({ level: 'warn', message: expect.stringMatching(/no admin/) }),
    );
  });

  test('with a password that breaks the rules, is not made, and the log says why without it', async () => {
    const world = await start(newDir(), { ADMIN_PASSWORD: 'password123' });
    expect(await world.node.container.stores.users.hasAdmin()).toBe(false);
    expect(world.logText()).toContain('is easy to guess');
    expect(world.logText()).not.toContain('password123');
  });

  test('whose name someone else has, is not made, and that account stays what it is', async () => {
    const dir = newDir();
    const first = await start(dir, { ADMIN_PASSWORD: 'password123' });
    const account = { ...newAccount(), username: 'admin' };
    await request(first.url).post('/api/auth/signup').send(account).expect(201);
    await first.stop();
    worlds.length = 0;
    const second = await start(dir);
    expect((await login(second, 'admin', account.password)).body.user.role).toBe('user');
    expect(await second.node.container.stores.users.hasAdmin()).toBe(false);
  });

  test('asked for ten times at once, is made once', async () => {
    const world = await start(newDir(), { ADMIN_PASSWORD: 'password123' });
    const { container } = world.node;
    const { createAuthService, createPasswords } = await import('../../src/services/auth/index.ts');
    const passwords = createPasswords(container.config.auth, container.lifecycle);
    const admin = { ...container.config.auth.admin, password: 'Another-Admin-9' };
    const config = { ...container.config, auth: { ...container.config.auth, admin } };
    const auth = createAuthService({ ...container, config, passwords });
    await Promise.all(Array.from({ length: 10 }, () => auth.ensureFirstAdmin()));
    expect(world.logs().filter((line) => line.message === 'first admin made')).toHaveLength(1);
    expect(await container.stores.users.hasAdmin()).toBe(true);
  });
});

describe('development secrets', () => {
  const configFor = (dir: string) => loadConfig({ DATA_DIR: dir });

  test('a JWT secret, made once, is 64 characters in a file that only its owner may read', async () => {
    const dir = join(newDir(), 'new', 'data');
    const config = await withDevelopmentSecrets(configFor(dir));
    expect(config.auth.jwtSecret).toMatch(/^[\w-]{64}$/);
    expect(Object.isFrozen(config) && Object.isFrozen(config.auth)).toBe(true);
    if (isPosix) expect([mode(join(dir, 'jwt-secret')), mode(dir)]).toEqual(['600', '700']);
  });

  test('twenty starts at once get one secret, and leave nothing else behind', async () => {
    const dir = newDir();
    const configs = await Promise.all(Array.from({ length: 20 }, () => withDevelopmentSecrets(configFor(dir))));
    expect(new Set(configs.map((config) => config.auth.jwtSecret)).size).toBe(1);
    const { readdirSync } = await import('node:fs');
    expect(readdirSync(dir)).toEqual(['jwt-secret']);
  });

  test('a secret that is configured is used, and no file is made', async () => {
    const dir = newDir();
    const config = loadConfig({ DATA_DIR: dir, JWT_SECRET: 'of my own' });
    expect(await withDevelopmentSecrets(config)).toBe(config);
    expect(() => statSync(join(dir, 'jwt-secret'))).toThrow('ENOENT');
  });

  test('an empty file, left by hand, is an error that says what to do', async () => {
    const dir = newDir();
    writeFileSync(join(dir, 'jwt-secret'), '\n');
    await expect(withDevelopmentSecrets(configFor(dir))).rejects.toThrow('jwt-secret is empty: delete it');
  });

  test('a login outlives a restart', async () => {
    const dir = newDir();
    const first = await start(dir);
    const user = await signUp(first.url);
    await first.stop();
    worlds.length = 0;
    const second = await start(dir);
    await request(second.url).get('/api/auth/me').set(bearer(user.accessToken)).expect(200);
    await request(second.url).post('/api/auth/refresh').send({ refreshToken: user.refreshToken }).expect(200);
  });

  test('JWT_SECRET changed, with the old one as previous, keeps logins; without it they end', async () => {
    const dir = newDir();
    const restart = async (env: Record<string, string>): Promise<World> => {
      for (const world of worlds.splice(0)) await world.stop();
      return start(dir, env);
    };
    const [first, second] = ['a'.repeat(16) + 'b'.repeat(16), 'c'.repeat(16) + 'd'.repeat(16)] as const;
    const user = await signUp((await restart({ JWT_SECRET: first })).url);
    const rotated = await restart({ JWT_SECRET: second, JWT_SECRET_PREVIOUS: first });
    await request(rotated.url).get('/api/auth/me').set(bearer(user.accessToken)).expect(200);
    const { body } = await request(rotated.url).post('/api/auth/refresh').send({ refreshToken: user.refreshToken });
    const after = await restart({ JWT_SECRET: second });
    expect((await request(after.url).get('/api/auth/me').set(bearer(user.accessToken))).body.code).toBe(
      'TOKEN_INVALID',
    );
    await request(after.url).post('/api/auth/refresh').send({ refreshToken: body.refreshToken }).expect(200);
  });
});
