import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newAccount, PASSWORD } from '../support/accounts.ts';
import { call } from '../support/http.ts';
import { HOW_TO_GET_MONGODB, startMongodb } from '../support/mongodb.ts';
import { startWorld, type World } from '../support/world.ts';

const mongodb = await startMongodb();
const describeOrSkip = mongodb === null ? describe.skip : describe;
const WRONG = 'INVALID_CREDENTIALS';
const WAIT = 'TOO_MANY_FAILURES';

describeOrSkip(`wrong passwords at two nodes${mongodb === null ? ` (${HOW_TO_GET_MONGODB})` : ''}`, () => {
  /** The same at both, as good as clocks of machines are. */
  let now = Date.now();
  let nodes: [World, World];
  beforeAll(async () => {
    const env = { MONGODB_URI: mongodb!.newDatabase(), LOGIN_THROTTLE: 'true', TRUST_PROXY: '1' };
    const clock = { now: () => now };
    nodes = [await startWorld({ env, clock }), await startWorld({ env, clock })];
  });
  afterAll(async () => {
    for (const node of nodes) await node.stop();
    await mongodb?.stop();
  });

  let addresses = 0;
  const newAddress = (): string => `198.51.100.${String((addresses += 1))}`;
  const logIn = async (node: World, username: string, password: string, from = newAddress()) => {
    const init = { method: 'POST', headers: { 'X-Forwarded-For': from }, json: { username, password } };
    const { status, body } = await call(`${node.url}/api/auth/login`, init);
    return status === 200 ? 'in' : String(body.code);
  };
  /** Turn by turn at one node and the other. */
  const guess = async (count: number, one: (node: World, index: number) => Promise<string>) => {
    const seen: string[] = [];
    for (let index = 0; index < count; index += 1) seen.push(await one(nodes[index % 2]!, index));
    return seen;
  };

  test('of one account, are counted together, and the right one clears them at both', async () => {
    const user = await nodes[0].signUp();
    const wrong = (node: World) => logIn(node, user.username, 'Wrong-Horse-7');
    expect(await guess(7, wrong)).toEqual([...Array<string>(5).fill(WRONG), WAIT, WAIT]);
    now += 1000;
    expect(await logIn(nodes[1], user.username, PASSWORD)).toBe('in');
    expect(await guess(6, wrong)).toEqual([...Array<string>(5).fill(WRONG), WAIT]);
  });

  test('of one address, are counted together over changing names', async () => {
    const from = newAddress();
    const seen = await guess(22, (node) => logIn(node, newAccount().username, 'Wrong-Horse-7', from));
    expect(seen).toEqual([...Array<string>(20).fill(WRONG), WAIT, WAIT]);
  });
});
