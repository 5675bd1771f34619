import { afterEach, describe, expect, test } from '@jest/globals';
import { hasStrace, hasTmpfs, injectFaults, mountSmallDisk } from '../support/faults/disk.ts';
import { createFaultWorld, integrityOf, SOUND, type Account, type FaultWorld } from '../support/faults/faultWorld.ts';
import { call, PASSWORD, type Answer } from '../support/http.ts';
import { seedOf } from '../support/random.ts';

let world: FaultWorld;
afterEach(() => world.dispose());

const start = async (dataDir?: string): Promise<Account> => {
  world = await createFaultWorld({ seed: seedOf('disk'), ...(dataDir === undefined ? {} : { dataDir }) });
  await world.nodes[0]!.start();
  return world.signUp();
};

const as = (account: Account, method: string, path: string, json?: unknown): Promise<Answer> =>
  call(`${world.nodes[0]!.url}${path}`, { method, json, headers: { Authorization: `Bearer ${account.token}` } });
const logIn = ({ name }: Account): Promise<Answer> =>
  call(`${world.nodes[0]!.url}/api/auth/login`, {
    method: 'POST',
    json: { username: name, password: PASSWORD, session: 'token' },
  });

/** Sends until the disk refuses, without a retry; resolves with that refusal. */
const sendUntilRefused = async (account: Account): Promise<Answer> => {
  for (;;) {
    const answer = await as(account, 'POST', '/api/chat/message', { content: 'long '.repeat(1500) });
    if (answer.status !== 200) return answer;
  }
};

/** A node whose disk refuses writes: acknowledges none, still reads; a client that tries on gets through after `mend`. */
const expectRefusalThenRecovery = async (account: Account, mend: () => Promise<void> | void): Promise<void> => {
  const { pid } = world.nodes[0]!;
  const client = world.client({ door: 'socket', account });
  const refused = await as(account, 'POST', '/api/chat/message', { content: 'x', clientMessageId: 'refused-1' });
  expect(refused).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE', retryable: true } });
  const sent = client.send(world.text(20));
  expect((await as(account, 'GET', '/api/chat/sessions')).status).toBe(200);
  expect((await as(account, 'GET', '/api/auth/me')).status).toBe(200);
  expect((await call(`${world.nodes[0]!.url}/health`)).status).toBe(200);
  expect(client.history.entries.map(({ kind }) => kind)).toEqual(['sent']);
  await mend();
  expect(await sent).not.toBeNull();
  expect((await as(account, 'POST', '/api/chat/message', { content: 'x', clientMessageId: 'refused-1' })).status).toBe(
    200,
  );
  expect(world.nodes[0]!.pid).toBe(pid);
};

describe('a disk', () => {
  (hasTmpfs ? test : test.skip)(
    'that is full (needs mount): no ack, reads work for whoever is logged in, and it recovers without a restart',
    async () => {
      const disk = mountSmallDisk(8);
      try {
        const account = await start(disk.directory);
        await as(account, 'POST', '/api/chat/message', { content: 'first' });
        disk.fill();
        expect(await sendUntilRefused(account)).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
        // A login is a row too: it is refused as unavailable, never as a wrong password.
        expect(await logIn(account)).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
        await expectRefusalThenRecovery(account, () => disk.free());
        expect((await logIn(account)).status).toBe(200);
        expect(await world.nodes[0]!.stop()).toMatchObject({ code: 0 });
        expect(integrityOf(disk.directory)).toEqual(SOUND);
      } finally {
        await world.nodes[0]?.kill();
        disk.remove();
      }
    },
    180_000,
  );

  (hasStrace ? test : test.skip)(
    'whose flushes fail with EIO (needs strace): no ack, reads work, and it recovers without a restart',
    async () => {
      const account = await start();
      await as(account, 'POST', '/api/chat/message', { content: 'first' });
      const fault = await injectFaults(world.nodes[0]!.pid, 'fsync,fdatasync:error=EIO');
      await expectRefusalThenRecovery(account, () => fault.end());
      expect(await world.nodes[0]!.stop()).toMatchObject({ code: 0 });
      expect(integrityOf(world.nodes[0]!.dataDir)).toEqual(SOUND);
    },
    180_000,
  );
});
