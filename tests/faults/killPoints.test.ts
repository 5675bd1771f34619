import { afterEach, describe, expect, test } from '@jest/globals';
import { createFaultWorld, integrityOf, SOUND, type FaultWorld } from '../support/faults/faultWorld.ts';
import { dieAtEach, KILL_POINTS, type PointResult } from '../support/faults/killPoints.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { seedOf } from '../support/random.ts';
import { waitFor } from '../support/waitFor.ts';

/**
 * A process that starts on MongoDB cannot know that the one before is dead until its leases end, so that each death costs
 * 15 seconds: the points at which that decides what becomes of the reply, all at once. `npm run faults` takes them all.
 * The steps inside one write are cut one by one in tests/contract/mongo.crash.test.ts.
 */
const ON_MONGODB = ['appendTurn.after', 'upstream.before', 'startReply.after'];

const worlds: FaultWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.dispose();
});

await describeOnEachDatabase((database) => {
  const isEmbedded = database.name === 'SQLite';

  describe('a process killed', () => {
    test('at a step of a message’s life, leaves what that step promised, once, and the retry gets it', async () => {
      const points = KILL_POINTS.filter(({ name }) => isEmbedded || ON_MONGODB.includes(name));
      // One after the other in one database that survives it all; or each in a world of its own.
      const batches = isEmbedded ? [points] : points.map((point) => [point]);
      const die = async (batch: typeof points): Promise<readonly PointResult[]> => {
        const world = await createFaultWorld({
          seed: seedOf(`kill points on ${database.name}`),
          env: database.env(),
          tokenDelayMs: 5,
        });
        worlds.push(world);
        const results = await dieAtEach(world, batch);
        expect((await world.verify()).violations).toEqual([]);
        const [node] = world.nodes;
        expect(await node!.stop()).toMatchObject({ code: 0 });
        if (isEmbedded) expect(integrityOf(node!.dataDir)).toEqual(SOUND);
        return results;
      };
      const results = (await Promise.all(batches.map(die))).flat();
      expect(results).toHaveLength(points.length);
      expect(results.filter(({ problems }) => problems.length > 0)).toEqual([]);
    }, 600_000);
  });
});

describe('text whose write failed', () => {
  test('and whose process is killed before the next try, was shown to nobody', async () => {
    const world = await createFaultWorld({ seed: seedOf('failed write'), tokenDelayMs: 20 });
    worlds.push(world);
    const [node] = world.nodes;
    await node!.start({ PARLEY_FAILPOINTS: 'appendLog.before=throw@3' });
    const account = await world.signUp();
    const clients = (['sse', 'socket'] as const).map((door) => world.client({ door, account }));
    const sent = clients.map((client) => client.send(world.text(100)));
    await waitFor(() => node!.output().includes('reply text could not be stored'));
    await node!.kill();
    await node!.start();
    await Promise.all(sent);
    const verdict = await world.verify();
    expect(verdict.violations).toEqual([]);
    expect(verdict.acked).toBe(2);
    expect(verdict.interrupted).toBeGreaterThan(0);
    expect(verdict.shownUnits).toBeGreaterThan(0);
  });
});
