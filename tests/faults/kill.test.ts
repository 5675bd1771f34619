import { afterEach, describe, expect, test } from '@jest/globals';
import { createFaultWorld, integrityOf, SOUND, type FaultWorld } from '../support/faults/faultWorld.ts';
import { runRandomKills } from '../support/faults/kills.ts';
import { describeOnEachDatabase } from '../support/databases.ts';
import { seedOf } from '../support/random.ts';

let world: FaultWorld;
afterEach(() => world.dispose());

await describeOnEachDatabase((database) => {
  describe('a process killed at random instants', () => {
    test('while six clients write over three doors, loses, doubles and takes back nothing', async () => {
      const seed = seedOf(`random kills on ${database.name}`);
      world = await createFaultWorld({ seed, env: database.env() });
      const kills = database.name === 'SQLite' ? 20 : 5;
      const report = await runRandomKills(world, { seed, kills, clients: 6 });
      expect(report.violations).toEqual([]);
      expect(report.runningAtKills).toBeGreaterThan(0);
      expect(await world.nodes[0]!.stop()).toMatchObject({ code: 0 });
      if (database.name === 'SQLite') expect(integrityOf(world.nodes[0]!.dataDir)).toEqual(SOUND);
    }, 300_000);
  });
});
