import { waitFor } from '../waitFor.ts';
import { startChatter } from './chatter.ts';
import type { FaultWorld, Verdict } from './faultWorld.ts';

export interface DeployReport extends Verdict {
  readonly seed: number;
  readonly restarts: number;
  /** What each process ended with, and after how long. */
  readonly exits: readonly { readonly code: number | NodeJS.Signals; readonly ms: number }[];
}

export interface DeployOptions {
  readonly seed: number;
  readonly restarts: number;
  readonly clients: number;
}

/** Restarts one node after the other by SIGTERM, while clients write to whichever is up. */
export const runDeploys = async (world: FaultWorld, options: DeployOptions): Promise<DeployReport> => {
  const { nodes, random, histories } = world;
  for (const node of nodes) await node.start();
  const accounts = [await world.signUp(), await world.signUp()];
  const target = (): Promise<string> => {
    const from = random.below(nodes.length);
    const inTurn = [...nodes.slice(from), ...nodes.slice(0, from)];
    return waitFor(() => inTurn.find(({ isUp }) => isUp)?.url);
  };
  const chatter = startChatter(world, { accounts, clients: options.clients, target });
  const exits: DeployReport['exits'][number][] = [];
  for (let number = 0; number < options.restarts; number += 1) {
    const node = nodes[number % nodes.length]!;
    await histories.reach(histories.length + 1 + random.below(options.clients * 25));
    exits.push(await node.stop());
    await node.start();
  }
  await chatter.end();
  return { ...(await world.verify()), seed: options.seed, restarts: options.restarts, exits };
};
