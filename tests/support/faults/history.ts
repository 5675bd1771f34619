import { EventEmitter, once } from 'node:events';

export type Door = 'json' | 'sse' | 'socket';
export const DOORS: readonly Door[] = ['json', 'sse', 'socket'];

/** What happened to one client, in its order and in its own words: all that the checker believes. */
export type Entry =
  | { readonly kind: 'sent'; readonly clientMessageId: string; readonly content: string; readonly door: Door }
  | {
      readonly kind: 'acked';
      readonly clientMessageId: string;
      readonly chatId: string;
      readonly userMessageId: string;
      readonly messageId: string;
    }
  /** An answer that a repetition would not change. */
  | { readonly kind: 'refused'; readonly clientMessageId: string; readonly code: string }
  /** Text that came to be on a screen, at this offset of its reply. */
  | { readonly kind: 'shown'; readonly messageId: string; readonly offset: number; readonly text: string }
  /** The server took text back. */
  | { readonly kind: 'reset'; readonly messageId: string; readonly length: number }
  /** Text came that begins behind what the client holds, on a stream that must have no hole. */
  | { readonly kind: 'gap'; readonly messageId: string; readonly offset: number; readonly held: number }
  /** The last event of a reply, with the text that the client holds then; null when it was not following. */
  | {
      readonly kind: 'ended';
      readonly messageId: string;
      readonly status: string;
      readonly length: number;
      readonly held: string | null;
    }
  /** The client waited far longer than any promise allows. */
  | { readonly kind: 'stuck'; readonly clientMessageId: string; readonly waitingFor: string };

export interface ClientHistory {
  readonly client: string;
  /** Whose messages they are: what is stored is looked at per account. */
  readonly account: string;
  readonly entries: Entry[];
}

/** The histories of all clients of a run. */
export interface Histories {
  readonly all: readonly ClientHistory[];
  open(client: string, account: string): { readonly history: ClientHistory; readonly record: (entry: Entry) => void };
  /** How many entries there are. */
  readonly length: number;
  /** Resolves once there are `count` entries. */
  reach(count: number): Promise<void>;
}

export const createHistories = (): Histories => {
  const all: ClientHistory[] = [];
  const changes = new EventEmitter().setMaxListeners(0);
  let length = 0;
  return {
    all,
    get length() {
      return length;
    },
    open: (client, account) => {
      const history: ClientHistory = { client, account, entries: [] };
      all.push(history);
      const record = (entry: Entry): void => {
        history.entries.push(entry);
        length += 1;
        changes.emit('entry');
      };
      return { history, record };
    },
    reach: async (count) => {
      while (length < count) await once(changes, 'entry');
    },
  };
};
