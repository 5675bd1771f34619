import { describe, expect, test } from '@jest/globals';
import type { Login, User } from '../../src/models/entities.ts';
import { createLoginStates } from '../../src/services/auth/loginStates.ts';
import { createEventBus } from '../../src/services/events.ts';

const farEnd = new Date(Date.UTC(2100, 0, 1));
const idleEnd = new Date(Date.UTC(2101, 0, 1));
const ownerId = 'owner';

/** A database of one login whose answers a test holds back. */
const setUp = () => {
  const time = { now: 1_000_000 };
  const state = {
    endedAt: null as Date | null,
    idleExpiresAt: idleEnd,
    status: 'active',
    role: 'user',
    reads: 0,
    gate: Promise.resolve(),
  };
  const events = createEventBus();
  const logins = {
    findLogin: async (loginId: string) => {
      state.reads += 1;
      const { endedAt, idleExpiresAt } = state;
      const row = { id: loginId, ownerId, expiresAt: farEnd, idleExpiresAt, endedAt } as Login;
      await state.gate;
      return loginId === 'unknown' ? null : row;
    },
  };
  const users = { findUser: async () => ({ id: ownerId, status: state.status, role: state.role }) as User };
  const stores = { logins, users } as unknown as Parameters<typeof createLoginStates>[0]['stores'];
  const states = createLoginStates({ stores, events, clock: { now: () => time.now } });
  return { states, state, events, time };
};
const revoked = expect.objectContaining({ code: 'TOKEN_REVOKED' });

describe('login states', () => {
  test('a login, asked for within 30 s, is read once, and then again', async () => {
    const { states, state, time } = setUp();
    for (const _ of [1, 2, 3]) await states.getState('a');
    expect(state.reads).toBe(1);
    time.now += 29_999;
    await states.getState('a');
    expect(state.reads).toBe(1);
    time.now += 1;
    await states.getState('a');
    expect(state.reads).toBe(2);
  });

  test('a login that ends here is refused at the next call', async () => {
    const { states, state, events } = setUp();
    await states.getState('a');
    state.endedAt = new Date();
    events.publish('loginEnded', { ownerId, loginId: 'a' });
    await expect(states.getState('a')).rejects.toEqual(revoked);
  });

  test('an account that ends here takes all of its logins along, and those of others stay', async () => {
    const { states, state, events } = setUp();
    await states.getState('a');
    await states.getState('b');
    events.publish('accountEnded', { ownerId: 'someone else' });
    await states.getState('a');
    expect(state.reads).toBe(2);
    state.status = 'disabled';
    events.publish('accountEnded', { ownerId });
    await expect(states.getState('a')).rejects.toEqual(revoked);
    await expect(states.getState('b')).rejects.toEqual(revoked);
  });

  test('a read that was under way when the login ended is not kept', async () => {
    const { states, state, events } = setUp();
    const gate = Promise.withResolvers<undefined>();
    state.gate = gate.promise.then(() => undefined);
    const early = states.getState('a');
    state.endedAt = new Date();
    events.publish('loginEnded', { ownerId, loginId: 'a' });
    gate.resolve(undefined);
    await early;
    await expect(states.getState('a')).rejects.toEqual(revoked);
  });

  test('an unknown login is refused, and read at most once in 30 s', async () => {
    const { states, state } = setUp();
    await expect(states.getState('unknown')).rejects.toEqual(revoked);
    await expect(states.getState('unknown')).rejects.toEqual(revoked);
    expect(state.reads).toBe(1);
  });

  test('a login that rested for too long is refused, 30 s later at most', async () => {
    const { states, state, time } = setUp();
    state.idleExpiresAt = new Date(time.now + 1);
    await states.getState('a');
    time.now += 30_000;
    await expect(states.getState('a')).rejects.toEqual(revoked);
  });

  test('a login at its absolute end is refused without a read', async () => {
    const { states, time, state } = setUp();
    time.now = farEnd.getTime() - 1;
    await states.getState('a');
    time.now += 1;
    await expect(states.getState('a')).rejects.toEqual(revoked);
    expect(state.reads).toBe(1);
  });
});
