import { setTimeout as delay } from 'node:timers/promises';
import { isFinal, type MessageStatus } from '../../../src/models/entities.ts';
import { call } from '../http.ts';
import { waitFor } from '../waitFor.ts';
import { startChatter } from './chatter.ts';
import type { Account, FaultWorld, Verdict } from './faultWorld.ts';

/** The replies that clients knew of and had not seen the end of. */
const openReplies = (world: FaultWorld): { messageId: string; account: string }[] => {
  const open = new Map<string, string>();
  for (const { entries, account } of world.histories.all) {
    for (const entry of entries) {
      if (entry.kind === 'acked') open.set(entry.messageId, account);
      else if (entry.kind === 'ended') open.delete(entry.messageId);
    }
  }
  return [...open].map(([messageId, account]) => ({ messageId, account }));
};

/** Far longer than the two seconds in which a restarted node promises to have closed them. */
const giveUp = (): Promise<void> => delay(30_000, undefined, { ref: false });

export interface KillReport extends Verdict {
  readonly seed: number;
  readonly kills: number;
  /** Of those: killed before they listened. */
  readonly killsWhileStarting: number;
  readonly readyMs: readonly number[];
  /** From the moment the node listened until every reply that was running at the kill was final. */
  readonly closedMs: readonly number[];
  /** How many replies were running at a kill, in all. */
  readonly runningAtKills: number;
}

export interface KillOptions {
  readonly seed: number;
  readonly kills: number;
  readonly clients: number;
  readonly onKill?: (number: number) => void;
}

/** A kill -9 at random instants, again and again, while clients write over all doors; then everything is compared. */
export const runRandomKills = async (world: FaultWorld, options: KillOptions): Promise<KillReport> => {
  const { random, histories } = world;
  const [node] = world.nodes;
  if (!node) throw new Error('the world has no node');
  await node.start();
  const accounts: Account[] = [await world.signUp(), await world.signUp()];
  const tokens = new Map(accounts.map(({ name, token }) => [name, token]));
  const chatter = startChatter(world, { accounts, clients: options.clients });

  const closedMs: number[] = [];
  let killsWhileStarting = 0;
  let runningAtKills = 0;
  const isClosed = async ({ messageId, account }: { messageId: string; account: string }): Promise<boolean> => {
    const headers = { Authorization: `Bearer ${tokens.get(account) ?? ''}` };
    const { status, body } = await call(`${node.url}/api/chat/messages/${messageId}`, { headers });
    // One that is lost is the checker's business.
    return status === 404 || isFinal(body.status as MessageStatus);
  };

  for (let number = 1; number <= options.kills; number += 1) {
    // An instant is a place in the clients' histories and some milliseconds more, so that it falls into their work.
    await histories.reach(histories.length + 1 + random.below(options.clients * 25));
    await delay(random.below(25));
    await node.kill();
    options.onKill?.(number);
    const running = openReplies(world);
    runningAtKills += running.length;
    if (random.isTrue(0.1)) {
      killsWhileStarting += 1;
      await node.killWhileStarting(random.below(1000));
    }
    await node.start();
    const listensAt = performance.now();
    // What is not closed by then never will be, and the checker says so.
    await Promise.race([Promise.all(running.map((reply) => waitFor(() => isClosed(reply)))), giveUp()]);
    closedMs.push(performance.now() - listensAt);
  }
  await chatter.end();
  const verdict = await world.verify();
  const { seed, kills } = options;
  return { ...verdict, seed, kills, killsWhileStarting, readyMs: node.startsMs.slice(1), closedMs, runningAtKills };
};
