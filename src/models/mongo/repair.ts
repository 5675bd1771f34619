import { trusted, type Model, type QueryFilter } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import { revokingKeys } from './apiKey.store.ts';
import type { Collections } from './collections.ts';
import type { IntentRow } from './intent.model.ts';
import type { CarryOut, Intents } from './intents.ts';
import { endingLogins } from './login.store.ts';
import type { Removals } from './removals.ts';
import { dropStrayLogs } from './replyLog.ts';
import { finishSettling } from './reply.store.ts';
import type { TurnCommit } from './turnCommit.ts';
import { createBatchCommit } from './usageDays.ts';

const BATCH = 100;
/** Milliseconds for which a node's life is remembered after its end; nothing asks for it by then. */
const DEAD_NODES_MS = 3_600_000;

/**
 * Does something with each row that matches, in order of `_id`. One that still matches afterwards is not met again.
 * @returns how many there were
 */
const forEachRow = async <Row extends { readonly _id: string }>(
  model: Model<Row>,
  filter: QueryFilter<Row>,
  mend: (row: Row) => Promise<unknown>,
): Promise<number> => {
  let count = 0;
  let rows: Row[] = [];
  do {
    const after = rows.at(-1)?._id ?? '';
    const rest = { ...filter, _id: trusted({ $gt: after }) };
    rows = await model.find(rest).sort({ _id: 1 }).limit(BATCH).lean();
    for (const row of rows) await mend(row);
    count += rows.length;
  } while (rows.length === BATCH);
  return count;
};

export interface RepairOptions {
  readonly collections: Collections;
  readonly commit: TurnCommit;
  readonly removals: Removals;
  readonly intents: Intents;
  readonly clock: Clock;
}

/**
 * Finishes what a crash, of this process or another, left half done. What another node is just doing may be among it: every
 * step can be done twice. @returns how many things there were
 */
export const createRepair = ({ collections, commit, removals, intents, clock }: RepairOptions) => {
  const { turns, messages, chats, users } = collections;
  const carryOut: Readonly<Record<IntentRow['kind'], CarryOut>> = {
    deleteChats: removals.deletingChats,
    endLogins: endingLogins(collections),
    revokeKeys: revokingKeys(collections),
  };

  const completeBatch = createBatchCommit(collections);

  return async (): Promise<number> => {
    await collections.quotaNodes.deleteMany({ until: trusted({ $lt: new Date(clock.now() - DEAD_NODES_MS) }) });
    const isDue = { sweepAt: trusted({ $lte: new Date(clock.now()) }) };
    const counts = [
      await forEachRow(turns, { state: 'open' }, (turn) => commit.complete(turn)),
      await forEachRow(messages, { status: 'settling' }, (row) => finishSettling(collections, row)),
      await forEachRow(collections.intents, {}, async (intent) => {
        await carryOut[intent.kind](intent);
        await intents.forget(intent);
      }),
      await forEachRow(collections.usageBatches, {}, (batch) => completeBatch(batch)),
      await forEachRow(chats, isDue, (chat) => removals.finishChat(chat)),
      await forEachRow(users, isDue, (user) => removals.finishUser(user)),
      await dropStrayLogs(collections),
    ];
    return counts.reduce((sum, count) => sum + count, 0);
  };
};
