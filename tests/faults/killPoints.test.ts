import { afterEach, describe, expect, test } from '@jest/globals';
import { createFaultWorld, integrityOf, SOUND, type FaultWorld } from '../support/faults/faultWorld.ts';
import { dieAt, KILL_POINTS, type PointResult } from '../support/faults/killPoints.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { seedOf } from '../support/random.ts';

let world: FaultWorld;
afterEach(() => world.dispose());

/** MongoDB's own steps inside one write are cut one by one in tests/contract/mongo.crash.test.ts. */
const SMALL_SET = new Set(['appendTurn.during', 'appendTurn.after', 'appendLog.after', 'settleReply.during']);

await describeOnEachDatabase((database) => {
  const points = KILL_POINTS.filter(({ name }) => database.name === 'SQLite' || SMALL_SET.has(name));

  describe('a process killed', () => {
    test('at a step of a message’s life, leaves what that step promised, once, and the retry gets it', async () => {
      world = await createFaultWorld({ seed: seedOf(`kill points on ${database.name}`), env: database.env() });
      const [node] = world.nodes;
      await node!.start();
      const account = await world.signUp();
      await node!.kill();
      const results: PointResult[] = [];
      for (const point of points) results.push(await dieAt(world, account, point));
      expect(results.filter(({ problems }) => problems.length > 0)).toEqual([]);
      await node!.start();
      expect((await world.verify()).violations).toEqual([]);
      expect(await node!.stop()).toMatchObject({ code: 0 });
      if (database.name === 'SQLite') expect(integrityOf(node!.dataDir)).toEqual(SOUND);
    }, 120_000);
  });
});
