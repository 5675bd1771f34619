import { afterEach, describe, expect, test } from '@jest/globals';
import { createFaultWorld, integrityOf, SOUND, type FaultWorld } from '../support/faults/faultWorld.ts';
import { dieAt, KILL_POINTS, type PointResult } from '../support/faults/killPoints.ts';
import { seedOf } from '../support/random.ts';

let world: FaultWorld;
afterEach(() => world.dispose());

/**
 * On the embedded database, whose new process knows at once that the old one is dead. On MongoDB a lease has to run out
 * first, and the steps inside one write are cut one by one in tests/contract/mongo.crash.test.ts.
 */
describe('a process killed', () => {
  test('at a step of a message’s life, leaves what that step promised, once, and the retry gets it', async () => {
    world = await createFaultWorld({ seed: seedOf('kill points'), env: {} });
    const [node] = world.nodes;
    await node!.start();
    const account = await world.signUp();
    await node!.kill();
    const results: PointResult[] = [];
    for (const point of KILL_POINTS) results.push(await dieAt(world, account, point));
    expect(results.filter(({ problems }) => problems.length > 0)).toEqual([]);
    await node!.start();
    expect((await world.verify()).violations).toEqual([]);
    expect(await node!.stop()).toMatchObject({ code: 0 });
    expect(integrityOf(node!.dataDir)).toEqual(SOUND);
  }, 240_000);
});
