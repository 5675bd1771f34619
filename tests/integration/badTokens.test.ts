import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { badTokens } from '../support/jwtCorpus.ts';
import { connectAs } from '../support/matrix.ts';
import { call } from '../support/http.ts';
import { refusedRaw } from '../support/rawSocket.ts';
import { startWorld, type World } from '../support/world.ts';

const SECRET = 'm4Xw9-signing-material-of-this-test-0123456789';
/** Longer ones do not get past Node's limit on headers. */
const MAX_CHARS = 12_000;

let world: World;
let corpus: readonly [name: string, token: string][];
let good: string;
beforeAll(async () => {
  world = await startWorld({ env: { JWT_SECRET: SECRET } });
  const [user, other] = [await world.signUp(), await world.signUp()];
  good = user.accessToken;
  corpus = badTokens({ good, another: other.accessToken, secret: SECRET });
});
afterAll(() => world.stop());

/** What can stand in a header as one token. */
const sendable = (): readonly [name: string, token: string][] =>
  corpus.filter(([, token]) => /^\S+$/.test(token) && token.length <= MAX_CHARS);

const whoAmI = async (headers: Record<string, string>): Promise<readonly [number, unknown]> => {
  const { status, body } = await call(`${world.url}/api/auth/me`, { headers });
  return [status, { ...body, requestId: '' }];
};

test('bad tokens, as Bearer and as a cookie, are all refused with one body', async () => {
  const tokens = sendable();
  expect(tokens.length).toBeGreaterThanOrEqual(40);
  expect((await whoAmI({ Authorization: `Bearer ${good}` }))[0]).toBe(200);
  const refusal = await whoAmI({ Authorization: 'Bearer no-token' });
  expect(refusal).toMatchObject([401, { code: 'TOKEN_INVALID', status: 401 }]);
  for (const [name, token] of tokens) {
    expect([name, await whoAmI({ Authorization: `Bearer ${token}` })]).toEqual([name, refusal]);
    expect([name, await whoAmI({ Cookie: `parley_at=${token}` })]).toEqual([name, refusal]);
  }
});

test('bad tokens, at both live doors, are all refused with one code', async () => {
  for (const [name, token] of corpus.filter(([, bad]) => bad !== '')) {
    expect([name, await connectAs(world.url, token)]).toEqual([name, 'TOKEN_INVALID']);
  }
  for (const [name, token] of sendable()) {
    const { status, body } = await refusedRaw(world.url, { token });
    expect([name, status, body.code]).toEqual([name, 401, 'TOKEN_INVALID']);
  }
});
