import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createFaultWorld, type FaultWorld } from '../support/faults/faultWorld.ts';
import type { FaultClient } from '../support/faults/faultClient.ts';
import { DOORS, type Entry } from '../support/faults/history.ts';
import { call } from '../support/http.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';
import { seedOf } from '../support/random.ts';
import { waitFor } from '../support/waitFor.ts';

const mongodb = await startMongodb();
const describeOrSkip = mongodb === null ? describe.skip : describe;
const name = `two nodes on one database${mongodb === null ? ` (${HOW_TO_GET_MONGODB})` : ''}`;

let world: FaultWorld;
afterEach(() => world.dispose());
afterAll(() => mongodb?.stop());

const startTwo = async (options: { tokenDelayMs: number; failpoints?: string }): Promise<FaultWorld> => {
  world = await createFaultWorld({
    seed: seedOf('two nodes'),
    nodes: 2,
    env: { MONGODB_URI: mongodb!.newDatabase() },
    tokenDelayMs: options.tokenDelayMs,
  });
  const [first, second] = world.nodes;
  await first!.start(options.failpoints === undefined ? {} : { PARLEY_FAILPOINTS: options.failpoints });
  await second!.start();
  return world;
};

const has = (client: FaultClient, kind: Entry['kind']): boolean =>
  client.history.entries.some((entry) => entry.kind === kind);
const endOf = (client: FaultClient): Entry | undefined => client.history.entries.find(({ kind }) => kind === 'ended');

const isShown = (entry: Entry): entry is Extract<Entry, { kind: 'shown' }> => entry.kind === 'shown';
/** How much of its reply a client holds. Before its ack it cannot know whose text it is that it hears at a socket. */
const held = ({ history: { entries } }: FaultClient): number => {
  const ackedAt = entries.findIndex(({ kind }) => kind === 'acked');
  if (ackedAt < 0) return 0;
  return entries
    .slice(ackedAt)
    .filter(isShown)
    .reduce((length, { offset, text }) => (offset > length ? length : Math.max(length, offset + text.length)), 0);
};

describeOrSkip(name, () => {
  test('one dies in mid-reply: the other closes the reply and starts the one that waited, by the database alone', async () => {
    await startTwo({ tokenDelayMs: 20, failpoints: 'upstream.midStream=kill@60' });
    const [first, second] = world.nodes;
    const account = await world.signUp();
    /** The node that dies, as long as it lives. */
    const target = (): Promise<string> => Promise.resolve(first!.isUp ? first!.url : second!.url);
    const clients = (['sse', 'socket'] as const).map((door) => world.client({ door, account, target }));
    const [reader, waiter] = clients;
    const cut = reader!.send(world.text(200));
    const chatId = await waitFor(() => reader!.history.entries.find((entry) => entry.kind === 'acked')?.chatId);
    const waited = waiter!.send(world.text(20), { chatId });
    await waitFor(() => has(waiter!, 'acked'));
    expect(first!.isUp).toBe(true);
    await first!.died();
    const diedAt = performance.now();
    await cut;
    process.stdout.write(`closed ${((performance.now() - diedAt) / 1000).toFixed(1)} s after the death of its node\n`);
    expect(endOf(reader!)).toMatchObject({ status: 'interrupted' });
    expect((await waited)?.text).not.toBe('');
    expect(endOf(waiter!)).toMatchObject({ status: 'complete' });
    const verdict = await world.verify(second);
    expect(verdict.violations).toEqual([]);
    expect(verdict.upstreamCalls).toBe(2);
  }, 240_000);

  test('a client whose node is out of reach in mid-reply resumes on the other one: exactly the missing text', async () => {
    await startTwo({ tokenDelayMs: 20 });
    const [first, second] = world.nodes;
    const account = await world.signUp();
    const whole = world.text(250);
    const clientMessageId = randomUUID();
    // Both doors send the same message to the first node, and go on at the second once they hold a part of the reply.
    const clients = (['sse', 'socket'] as const).map((door) => {
      const client: FaultClient = world.client({
        door,
        account,
        repeats: 0,
        target: () => Promise.resolve(held(client) > 0 ? second!.url : first!.url),
      });
      return client;
    });
    const sent = Promise.all(clients.map((client) => client.send(whole, { clientMessageId })));
    await waitFor(() => clients.every((client) => held(client) > 0));
    const before = clients.map((client) => {
      client.disconnect();
      return { client, entries: client.history.entries.length, at: held(client) };
    });
    expect((await sent).map((outcome) => outcome?.text)).toEqual([whole, whole]);
    for (const { client, entries, at } of before) {
      expect(at).toBeLessThan(whole.length);
      // Where one text ends the next one begins.
      let position = at;
      for (const { offset, text } of client.history.entries.slice(entries).filter(isShown)) {
        expect(offset).toBe(position);
        position = offset + text.length;
      }
      expect(position).toBe(whole.length);
    }
    const verdict = await world.verify(second);
    expect(verdict.violations).toEqual([]);
    expect(verdict.upstreamCalls).toBe(1);
  }, 180_000);

  test('a node that stands still before it asks a model: the retry has the other one start the reply, and that stays so', async () => {
    // It comes back in the midst of the reply: after the lease of 15 s, before the 250 words are all there.
    await startTwo({ tokenDelayMs: 40, failpoints: 'upstream.before=delay:18000' });
    const [first, second] = world.nodes;
    const account = await world.signUp();
    let url = first!.url;
    const client = world.client({ door: 'socket', account, repeats: 1, target: () => Promise.resolve(url) });
    const whole = world.text(250);
    const sent = client.send(whole);
    await waitFor(() => first!.output().includes('"failpoint"'));
    url = second!.url;
    client.disconnect();
    await waitFor(() => held(client) > 0);
    // It hears that the reply is not its own any more.
    await waitFor(() => first!.output().includes('reply ended early'));
    expect(held(client)).toBeLessThan(whole.length);
    expect((await sent)?.text).toBe(whole);
    const verdict = await world.verify(second);
    expect(verdict.violations).toEqual([]);
    expect(verdict.upstreamCalls).toBe(1);
    expect(await first!.stop()).toMatchObject({ code: 0 });
  }, 240_000);

  test('50 concurrent duplicates over every door of both are one message, one reply, one call of the model', async () => {
    await startTwo({ tokenDelayMs: 2 });
    const [first, second] = world.nodes;
    const account = await world.signUp();
    const clientMessageId = randomUUID();
    const content = world.text(40);
    const clients = Array.from({ length: 50 }, (_, index) => {
      const { url } = world.nodes[index % 2]!;
      return world.client({ door: DOORS[index % 3]!, account, target: () => Promise.resolve(url) });
    });
    const outcomes = await Promise.all(clients.map((client) => client.send(content, { clientMessageId })));
    expect(new Set(outcomes.map((outcome) => outcome?.messageId)).size).toBe(1);
    expect(outcomes.map((outcome) => outcome?.text)).toEqual(Array(50).fill(content));
    for (const { url } of [first!, second!]) {
      const headers = { Authorization: `Bearer ${account.token}` };
      const json = { content: `${content}, but other`, clientMessageId };
      const conflict = await call(`${url}/api/chat/message`, { method: 'POST', headers, json });
      expect(conflict).toMatchObject({ status: 409, body: { code: 'IDEMPOTENCY_CONFLICT' } });
    }
    const verdict = await world.verify();
    expect(verdict.violations).toEqual([]);
    expect(verdict).toMatchObject({ upstreamCalls: 1, replies: 1, acked: 1 });
  }, 180_000);
});
