import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import request from 'supertest';
import { bearer, PASSWORD, signUp } from '../support/accounts.ts';
import { startWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

const grant = (form: string | object, url = world.url) => request(url).post('/api/auth/token').type('form').send(form);

describe('the token endpoint (RFC 6749)', () => {
  test('the password grant gives the documented body, no cookie, and is not cached', async () => {
    const user = await signUp(world.url);
    const { status, body, headers } = await grant({
      grant_type: 'password',
      username: user.username,
      password: PASSWORD,
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 900,
      refresh_token: expect.any(String),
      scope: 'chat read',
      device_token: expect.any(String),
    });
    expect(headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' });
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(headers).not.toHaveProperty('set-cookie');
    await request(world.url).get('/api/auth/me').set(bearer(body.access_token)).expect(200);
  });

  test('the refresh grant rotates, and a token of one door is good at the other', async () => {
    const user = await signUp(world.url);
    const { status, body } = await grant({ grant_type: 'refresh_token', refresh_token: user.refreshToken });
    expect(status).toBe(200);
    expect(body.refresh_token).not.toBe(user.refreshToken);
    await request(world.url).post('/api/auth/refresh').send({ refreshToken: body.refresh_token }).expect(200);
  });

  test('parameters that we do not know, and client credentials, are ignored', async () => {
    const user = await signUp(world.url);
    const form = {
      grant_type: 'password',
      username: user.email,
      password: PASSWORD,
      client_id: 'app',
      scope: '',
      x: 'y',
    };
    const { status } = await grant(form).set('Authorization', 'Basic YXBwOnNlY3JldA==');
    expect(status).toBe(200);
  });

  test.each(['gzip', 'gzip, gzip', 'zip'])(
    'a form that claims to be %s and is not is an invalid_request',
    async (encoding) => {
      const { status, body, headers } = await grant('grant_type=password').set('Content-Encoding', encoding);
      expect([status, body.error]).toEqual([400, 'invalid_request']);
      expect(headers['content-type']).toMatch(/^application\/json/);
    },
  );

  test('a password with every kind of character comes through the form unharmed', async () => {
    const password = 'Ä+b &c=%25 d😀-1';
    const { username } = await (async () => {
      const account = { username: `user_${String(Date.now())}`, email: `u${String(Date.now())}@example.com`, password };
      await request(world.url).post('/api/auth/signup').send(account).expect(201);
      return account;
    })();
    expect((await grant({ grant_type: 'password', username, password })).status).toBe(200);
    const encoded = new URLSearchParams({ grant_type: 'password', username, password }).toString();
    expect((await grant(encoded)).status).toBe(200);
  });

  test.each([
    ['a wrong password', { grant_type: 'password', username: 'nobody', password: 'x' }, 'invalid_grant'],
    ['a forged refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }, 'invalid_grant'],
    ['another grant', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    ['no grant', { username: 'x', password: 'y' }, 'invalid_request'],
    ['an empty grant', { grant_type: '', username: 'x' }, 'invalid_request'],
    ['no username', { grant_type: 'password', password: 'y' }, 'invalid_request'],
    ['no refresh token', { grant_type: 'refresh_token' }, 'invalid_request'],
    ['a parameter twice', 'grant_type=password&username=a&username=b&password=c', 'invalid_request'],
    ['a list', 'grant_type[]=password&username=a&password=c', 'invalid_request'],
    ['a half escape', 'grant_type=password&username=%&password=c', 'invalid_request'],
    ['no UTF-8', 'grant_type=password&username=%ff&password=c', 'invalid_request'],
    ['nothing', '', 'invalid_request'],
    ['a prototype', '__proto__=x&grant_type=constructor', 'unsupported_grant_type'],
  ])('%s is 400 %j', async (_name, form, error) => {
    const { status, body, headers } = await grant(form);
    expect([status, body]).toEqual([400, { error, error_description: expect.any(String) }]);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' });
  });

  test.each([
    ['JSON', 'application/json', '{"grant_type":"password","username":"a","password":"b"}'],
    ['text', 'text/plain', 'grant_type=password'],
  ])('%s instead of a form is invalid_request', async (_name, type, body) => {
    const answer = await request(world.url).post('/api/auth/token').set('Content-Type', type).send(body);
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
  });

  test('a form over 16 KB is 413', async () => {
    const { body } = await grant(`grant_type=password&username=a&password=${'x'.repeat(16_400)}`);
    expect(body).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' });
  });

  test('an ended login’s refresh token, and a disabled account, are invalid_grant', async () => {
    const [user, disabled] = await Promise.all([signUp(world.url), signUp(world.url)]);
    await request(world.url).post('/api/auth/logout').set(bearer(user.accessToken)).expect(204);
    await world.node.container.stores.users.updateUser(disabled.id, { status: 'disabled' }, new Date());
    const answers = [
      await grant({ grant_type: 'refresh_token', refresh_token: user.refreshToken }),
      await grant({ grant_type: 'password', username: disabled.username, password: PASSWORD }),
    ];
    expect(answers.map((answer) => answer.body.error)).toEqual(['invalid_grant', 'invalid_grant']);
  });

  test('OAUTH_PASSWORD_GRANT=false turns the password grant off, and only that', async () => {
    const other = await startWorld({ env: { OAUTH_PASSWORD_GRANT: 'false' } });
    const user = await signUp(other.url);
    const password = await grant({ grant_type: 'password', username: user.username, password: PASSWORD }, other.url);
    const refresh = await grant({ grant_type: 'refresh_token', refresh_token: user.refreshToken }, other.url);
    await other.stop();
    expect([password.status, password.body.error]).toEqual([400, 'unsupported_grant_type']);
    expect(refresh.status).toBe(200);
  });
});
