import { newId } from '../../lib/ids.ts';
import { insertRow, RELAXED, type Collections } from './collections.ts';
import type { IntentRow } from './intent.model.ts';

/** What to do for an intent; can be done again, by another process too, and then does nothing more. */
export type CarryOut = (intent: IntentRow) => Promise<void>;

/** Calls that change many rows and still happen whole. */
export interface Intents {
  /** Records the intent, carries it out and forgets it. */
  perform(intent: Omit<IntentRow, '_id'>, carryOut: CarryOut): Promise<IntentRow>;
  /** Forgets an intent that was carried out. */
  forget(intent: IntentRow): Promise<void>;
}

export const createIntents = ({ intents }: Collections): Intents => {
  const forget = async (intent: IntentRow): Promise<void> => {
    await intents.deleteOne({ _id: intent._id, ownerId: intent.ownerId }, RELAXED);
  };
  return {
    perform: async (given, carryOut) => {
      const intent = { _id: newId(), ...given };
      await insertRow(intents, intent);
      await carryOut(intent);
      await forget(intent);
      return intent;
    },
    forget,
  };
};
