import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call, PASSWORD, type Answer } from '../support/http.ts';
import { textOf } from '../support/sse.ts';
import { startWorld, type TestUser, type World } from '../support/world.ts';

/** More than the workers can hash, as fast as they answer: the queue of guesses is full all the time. */
const GUESSERS = 80;

let world: World;
beforeAll(async () => {
  world = await startWorld({
    models: ['sim/words:40'],
    tokenDelayMs: 20,
    env: { LOGIN_THROTTLE: 'true', TRUST_PROXY: '1', BCRYPT_COST: '8' },
  });
});
afterAll(() => world.stop());

let addresses = 0;
/** Nobody has come from there yet, as from a botnet. */
const newAddress = (): string => {
  addresses += 1;
  return `198.${String(18 + (addresses >> 16))}.${String((addresses >> 8) & 255)}.${String(addresses & 255)}`;
};

const logIn = (username: string, { password = PASSWORD, deviceToken = '' } = {}): Promise<Answer> =>
  call(`${world.url}/api/auth/login`, {
    method: 'POST',
    headers: { 'X-Forwarded-For': newAddress() },
    json: { username, password, session: 'token', ...(deviceToken === '' ? {} : { deviceToken }) },
  });

/** Guesses from ever new addresses until told to stop. @returns how often each code was answered */
const guess = (nameOf: (index: number) => string) => {
  const codes = new Map<string, number>();
  let sent = 0;
  let isOver = false;
  const guesser = async (): Promise<void> => {
    while (!isOver) {
      const { body } = await logIn(nameOf((sent += 1)), { password: `Wrong-Horse-${String(sent)}` });
      codes.set(body.code, (codes.get(body.code) ?? 0) + 1);
    }
  };
  const guessers = Array.from({ length: GUESSERS }, guesser);
  return {
    codes,
    stop: async (): Promise<void> => {
      isOver = true;
      await Promise.all(guessers);
    },
  };
};

const untilRefused = async (codes: ReadonlyMap<string, number>, code: string): Promise<void> => {
  while (!codes.has(code)) await call(`${world.url}/health`);
};

/** Logs in as its owner does: with the token that the device got before. */
const signUpOnDevice = async (): Promise<TestUser & { readonly deviceToken: string }> => {
  const user = await world.signUp();
  const { body } = await logIn(user.username);
  return { ...user, deviceToken: body.deviceToken };
};

describe('under a flood of wrong passwords', () => {
  test('on one account, its owner gets in from a known device every time, and from no other one', async () => {
    const owner = await signUpOnDevice();
    const flood = guess(() => owner.username);
    await untilRefused(flood.codes, 'TOO_MANY_FAILURES');
    for (let count = 0; count < 5; count += 1) {
      expect((await logIn(owner.username, { deviceToken: owner.deviceToken })).status).toBe(200);
    }
    expect((await logIn(owner.username)).body.code).toBe('TOO_MANY_FAILURES');
    await flood.stop();
    // Five were free, and time let in a few more: whatever was sent, it was not guessed.
    expect(flood.codes.get('INVALID_CREDENTIALS')).toBeLessThan(15);
    expect(flood.codes.get('TOO_MANY_FAILURES')).toBeGreaterThan(50);
  });

  test('on changing names, the queue of guesses is bounded; owners on known devices pass it, others get in by trying again', async () => {
    const owner = await signUpOnDevice();
    const other = await world.signUp();
    const flood = guess((index) => `nobody_${String(index)}`);
    await untilRefused(flood.codes, 'RATE_LIMITED');
    for (let count = 0; count < 10; count += 1) {
      expect((await logIn(owner.username, { deviceToken: owner.deviceToken })).status).toBe(200);
    }
    const wrong = await logIn(owner.username, { password: 'Wrong-Horse-7', deviceToken: owner.deviceToken });
    expect(wrong.body.code).toBe('INVALID_CREDENTIALS');
    const changed = await owner.call('POST', '/api/auth/password', {
      currentPassword: PASSWORD,
      newPassword: 'Another-Horse-8',
    });
    expect(changed.status).toBeLessThan(300);
    let status = 429;
    while (status === 429) ({ status } = await logIn(other.username));
    expect(status).toBe(200);
    await flood.stop();
    expect(flood.codes.get('RATE_LIMITED')).toBeGreaterThan(GUESSERS);
  });

  test('replies run on to their last word, and who is logged in notices nothing', async () => {
    const user = await world.signUp();
    const flood = guess((index) => `nobody_${String(index)}`);
    await untilRefused(flood.codes, 'RATE_LIMITED');
    const [events, me] = await Promise.all([
      user.stream('/api/chat/message', { content: 'Hello' }),
      user.call('GET', '/api/auth/me'),
    ]);
    await flood.stop();
    expect(events.at(-1)).toMatchObject({ event: 'end', data: { status: 'complete' } });
    expect(textOf(events).split(' ')).toHaveLength(40);
    expect(me.status).toBe(200);
  });
});
