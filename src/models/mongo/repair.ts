import { trusted, type Model, type QueryFilter } from 'mongoose';
import type { Clock } from '../../lib/clock.ts';
import type { Collections } from './collections.ts';
import type { Intents } from './intents.ts';
import { endingLogins } from './login.store.ts';
import type { Removals } from './removals.ts';
import { dropStrayLogs } from './replyLog.ts';
import { finishSettling } from './reply.store.ts';
import type { TurnCommit } from './turnCommit.ts';

const BATCH = 100;

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
  const endLogins = endingLogins(collections);

  return async (): Promise<number> => {
    const isDue = { sweepAt: trusted({ $lte: new Date(clock.now()) }) };
    const counts = [
      await forEachRow(turns, { state: 'open' }, (turn) => commit.complete(turn)),
      await forEachRow(messages, { status: 'settling' }, (row) => finishSettling(collections, row)),
      await forEachRow(collections.intents, {}, async (intent) => {
        await (intent.kind === 'endLogins' ? endLogins : removals.deletingChats)(intent);
        await intents.forget(intent);
      }),
      await forEachRow(chats, isDue, (chat) => removals.finishChat(chat)),
      await forEachRow(users, isDue, (user) => removals.finishUser(user)),
      await dropStrayLogs(collections),
    ];
    return counts.reduce((sum, count) => sum + count, 0);
  };
};
