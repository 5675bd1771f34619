import { afterEach, describe, expect, test } from '@jest/globals';
import { describeOnEachDatabase } from '../support/databases.ts';
import { runDeploys } from '../support/faults/deploys.ts';
import { createFaultWorld, integrityOf, SOUND, type FaultWorld } from '../support/faults/faultWorld.ts';
import { seedOf } from '../support/random.ts';

/** Under the 30 s after which Kubernetes kills. */
const MAX_EXIT_MS = 25_000;

let world: FaultWorld;
afterEach(() => world.dispose());

await describeOnEachDatabase((database) => {
  // The embedded database has one process at a time; on MongoDB one node serves while the other restarts.
  const nodes = database.name === 'SQLite' ? 1 : 2;

  describe('a deploy', () => {
    test('of a few restarts by SIGTERM under load, fails no send after its retry and loses no acknowledgement', async () => {
      const seed = seedOf(`deploys on ${database.name}`);
      world = await createFaultWorld({ seed, nodes, env: database.env() });
      const report = await runDeploys(world, { seed, restarts: 2, clients: 4 });
      expect(report.violations).toEqual([]);
      // Replies shorter than the grace finish in the old process.
      expect(report.interrupted).toBe(0);
      for (const exit of report.exits) {
        expect(exit.code).toBe(0);
        expect(exit.ms).toBeLessThanOrEqual(MAX_EXIT_MS);
      }
      expect(await world.nodes[0]!.stop()).toMatchObject({ code: 0 });
      if (database.name === 'SQLite') expect(integrityOf(world.nodes[0]!.dataDir)).toEqual(SOUND);
    }, 300_000);
  });
});
