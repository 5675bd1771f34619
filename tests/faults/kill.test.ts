import { afterEach, describe, expect, test } from '@jest/globals';
import { createFaultWorld, integrityOf, SOUND, type FaultWorld } from '../support/faults/faultWorld.ts';
import { runRandomKills } from '../support/faults/kills.ts';
import { seedOf } from '../support/random.ts';

let world: FaultWorld;
afterEach(() => world.dispose());

/** On MongoDB clients wait for a dead node's leases to end, after each kill: `npm run faults` does that. */
describe('a process killed at random instants', () => {
  test('while six clients write over three doors, loses, doubles and takes back nothing', async () => {
    const seed = seedOf('random kills');
    world = await createFaultWorld({ seed });
    const report = await runRandomKills(world, { seed, kills: 5, clients: 6 });
    expect(report.violations).toEqual([]);
    expect(report.runningAtKills).toBeGreaterThan(0);
    expect(await world.nodes[0]!.stop()).toMatchObject({ code: 0 });
    expect(integrityOf(world.nodes[0]!.dataDir)).toEqual(SOUND);
  }, 300_000);
});
