/**
 * A process of its own in which a node is used at every door and then closed. It ends by itself, with 0, unless something is
 * left that keeps it alive: then it prints what, and ends with 1.
 */
import { ask, nextEvent } from './events.ts';
import { connectRaw } from './rawSocket.ts';
import { startWorld, type TestUser } from './world.ts';

/** Far more than a process takes to end, and less than any wait that could be left. */
const END_MS = 10_000;

const model = 'sim/echo';
const stalling = 'sim/stall-mid:2';

/** A Socket.IO client over long-polling whose polls are made one by one, so that it can be between two. */
const joinPolling = async ({ url, accessToken }: TestUser) => {
  const base = `${url}/socket.io/?EIO=4&transport=polling`;
  const read = async (address: string, init?: RequestInit): Promise<string> => (await fetch(address, init)).text();
  const { sid } = JSON.parse((await read(base)).slice(1)) as { sid: string };
  const poll = (): Promise<string> => read(`${base}&sid=${sid}`);
  const post = (body: string): Promise<string> => read(`${base}&sid=${sid}`, { method: 'POST', body });
  await post(`40${JSON.stringify({ token: accessToken })}`);
  if (!(await poll()).startsWith('40')) throw new Error('not let in');
  return { poll, post };
};

const world = await startWorld({ models: [model, stalling] });
const user = await world.signUp();
await user.stream('/api/chat/message', { content: 'hello', model });
await user.call('POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hello' }] });

const socket = await user.connect();
const shown = nextEvent(socket, 'chat:delta');
const { messageId } = await ask(socket, 'chat:send', { content: 'hello', model: stalling });
await shown;
await ask(socket, 'chat:stop', { messageId });
const raw = await connectRaw(user.url, { token: user.accessToken });
await raw.ask({ type: 'message', content: 'hello', model });

// Long-polling: one that waits, and between two polls one that stays, one that leaves, one that sends what is no packet, and
// one whose login ends, which its next poll is told and then no other comes.
const waiting = (await joinPolling(user)).poll();
await joinPolling(user);
await (await joinPolling(user)).post('1');
await (await joinPolling(user)).post('no packet');
const other = await world.signUp();
const loggedOut = await joinPolling(other);
await other.call('POST', '/api/auth/logout');
await loggedOut.poll();

await world.stop();
await waiting;
setTimeout(() => {
  process.stdout.write(`left: ${process.getActiveResourcesInfo().join(', ')}\n`);
  process.exit(1);
}, END_MS).unref();
