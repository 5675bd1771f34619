import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { startWorld, type TestUser, type World } from '../support/world.ts';

let world: World;
let user: TestUser;

beforeAll(async () => {
  world = await startWorld();
  user = await world.signUp();
});
afterAll(() => world.stop());

/** A client that speaks Engine.IO by hand, since socket.io-client never joins twice on one connection. */
const open = async (headers: Readonly<Record<string, string>> = {}) => {
  const ws = new WebSocket(`${world.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`, { headers });
  const frames: string[] = [];
  let heard = Promise.withResolvers<unknown>();
  ws.on('message', (data: Buffer) => {
    frames.push(data.toString());
    heard.resolve(null);
    heard = Promise.withResolvers();
  });
  await once(ws, 'open');
  const next = async (prefix: string): Promise<string> => {
    for (;;) {
      const at = frames.findIndex((frame) => frame.startsWith(prefix));
      if (at >= 0) return frames.splice(at, 1)[0] ?? '';
      await heard.promise;
    }
  };
  await next('0{');
  return { ws, next };
};

/** Leaves; whoever joins before the server has seen that is cut. By the time a request is answered it has. */
const leave = async (ws: WebSocket): Promise<void> => {
  ws.send('41');
  await user.call('GET', '/api/auth/me');
};

test('a client that joins anew on its connection is let in by its token, and hears its own chats', async () => {
  const { ws, next } = await open();
  ws.send(`40${JSON.stringify({ token: user.accessToken })}`);
  await next('40{');
  await leave(ws);
  ws.send(`40${JSON.stringify({ token: user.accessToken })}`);
  await next('40{');
  ws.send(`420${JSON.stringify(['chat:send', { content: 'hello' }])}`);
  expect(JSON.parse((await next('430')).slice(3))).toMatchObject([{ ok: true }]);
  expect(await next('42["chat:end"')).toContain('complete');
  ws.close();
});

test('a cookie lets a client in once a connection: the request that brought it is not kept', async () => {
  const { ws, next } = await open({ Cookie: `parley_at=${user.accessToken}`, Origin: world.url });
  ws.send('40');
  await next('40{');
  await leave(ws);
  ws.send('40');
  expect(JSON.parse((await next('44')).slice(2))).toMatchObject({ data: { code: 'UNAUTHENTICATED' } });
  ws.close();
});
