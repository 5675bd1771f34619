import { startTcpProxy, type WireFault } from '../tcpProxy.ts';
import { startChatter } from './chatter.ts';
import type { FaultWorld, Verdict } from './faultWorld.ts';
import { waitFor } from '../waitFor.ts';

export interface CutReport extends Verdict {
  readonly seed: number;
  readonly cuts: number;
}

export interface CutOptions {
  readonly seed: number;
  readonly cuts: number;
  readonly clients: number;
}

/** Bytes of a connection before it is cut: from within the handshake to some dozens of events. */
const MAX_BYTES = 4000;
const KINDS: readonly WireFault['how'][] = ['close', 'reset', 'freeze'];

/** Cuts, delays and resets every connection at a random byte, until there were so many cuts; then compares. */
export const runCuts = async (world: FaultWorld, options: CutOptions): Promise<CutReport> => {
  const { random } = world;
  const [node] = world.nodes;
  await node!.start();
  const account = await world.signUp();
  let isGood = false;
  const proxy = await startTcpProxy(node!.url, () =>
    isGood
      ? null
      : {
          cutAfterBytes: 1 + random.below(MAX_BYTES),
          how: random.pick(KINDS),
          delayMs: random.isTrue(0.5) ? 0 : random.below(20),
        },
  );
  try {
    const chatter = startChatter(world, {
      accounts: [account],
      clients: options.clients,
      doors: ['sse', 'socket'],
      maxWords: 300,
      target: () => Promise.resolve(proxy.url),
    });
    await waitFor(() => proxy.cuts >= options.cuts);
    isGood = true;
    await chatter.end();
    return { ...(await world.verify()), seed: options.seed, cuts: proxy.cuts };
  } finally {
    await proxy.close();
  }
};
