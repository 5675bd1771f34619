import { Schema } from 'mongoose';
import { rowSchema } from './schema.ts';
import type { UsageRow } from './usage.model.ts';

/** A batch of the books that is being written: the one document that says that it is to be. `_id` is `nodeId:number`. */
export interface UsageBatchRow {
  readonly _id: string;
  readonly nodeId: string;
  readonly number: number;
  readonly records: readonly UsageRow[];
}

export const usageBatchSchema = rowSchema<UsageBatchRow>({
  nodeId: String,
  number: Number,
  records: [Schema.Types.Mixed],
});
