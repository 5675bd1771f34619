import type { LlmPart } from './provider.ts';
import type { RoutedPart } from './router.types.ts';
import type { Turn } from './turn.ts';

/** An answer that has begun: what clients are shown of its beginning, and the rest. */
export interface Opened {
  readonly turn: Turn;
  readonly head: readonly RoutedPart[];
  readonly rest: AsyncIterable<LlmPart>;
}

type Reading = Promise<{ readonly opened: Opened } | { readonly error: unknown }>;

/** What a user would see, or an end: whoever sends it first answers. */
const CONTENT: ReadonlySet<RoutedPart['type']> = new Set([
  'delta',
  'refusal',
  'reasoning',
  'tool_calls',
  'extra',
  'finish',
]);
const isContent = ({ type }: RoutedPart): boolean => CONTENT.has(type);

/** Reads until the answer has begun. Never rejects. */
const begin = async (turn: Turn): Reading => {
  let iterator: AsyncIterator<LlmPart> | null = null;
  try {
    const parts = (await turn.ask())[Symbol.asyncIterator]();
    iterator = parts;
    const head: RoutedPart[] = [];
    while (!head.some(isContent)) {
      const next = await parts.next();
      if (next.done) break;
      head.push(...turn.pass(next.value));
    }
    return { opened: { turn, head, rest: { [Symbol.asyncIterator]: () => parts } } };
  } catch (error) {
    await iterator?.return?.();
    return { error };
  }
};

/** Ends a call that nobody waits for, and hears it out: who answered and what it cost comes last. */
const discard = async (turn: Turn, reading: Reading, reason: string): Promise<void> => {
  turn.cancel(reason);
  const result = await reading;
  try {
    if ('error' in result) throw result.error;
    for await (const part of result.opened.rest) turn.pass(part);
    turn.close();
  } catch (error) {
    turn.endedBy(error);
  }
};

/**
 * A model that may be well again, asked beside one that is: whose content comes first answers, so that no user waits for
 * the finding out. The call to the model that was sick goes on listening until its first token, or for its time.
 */
export interface Hedge {
  readonly probe: Turn;
  /** Asks both, the probe only once. @throws what the turn failed with, unless the probe had answered */
  race(turn: Turn): Promise<Opened>;
  /** Waits for the probe alone. @throws what it failed with */
  wait(): Promise<Opened>;
  /** Whether the probe may still answer this request. */
  isPending(): boolean;
  /** Whether it has answered, and nobody has read that. */
  hasAnswered(): boolean;
  /** The request is over: the probe goes on listening, unless the request was left. */
  end(isLeft: boolean): void;
}

export const createHedge = (probe: Turn): Hedge => {
  let reading: Reading | null = null;
  /** What the probe answered, until somebody reads it or nobody will. */
  let answer: Opened | null = null;
  /** `asked`: it may still answer; `won`: its answer is read; `failed`; `over`: another answered. */
  let state: 'asked' | 'won' | 'failed' | 'over' = 'asked';

  /** Its first token has judged it: it is well, and more is not wanted. */
  const dropAnswer = (): void => {
    if (answer) void discard(probe, Promise.resolve({ opened: answer }), 'probed');
    answer = null;
  };

  const listen = async (): Reading => {
    const result = await begin(probe);
    if ('opened' in result) {
      answer = result.opened;
      if (state === 'over') dropAnswer();
      return result;
    }
    state = 'failed';
    const failure = probe.endedBy(result.error);
    if (failure) probe.attempt.log(failure, null);
    return result;
  };

  const win = (opened: Opened): Opened => {
    state = 'won';
    answer = null;
    return opened;
  };

  const finish = (): void => {
    state = 'over';
    dropAnswer();
  };

  return {
    probe,
    race: async (turn) => {
      const own = begin(turn);
      reading ??= listen();
      const first = await Promise.race([own, reading.then((result) => ('error' in result ? own : result))]);
      if ('error' in first) throw first.error;
      if (first.opened.turn === turn) {
        finish();
        return first.opened;
      }
      void discard(turn, own, 'hedged');
      const { head, ...opened } = win(first.opened);
      const { announcement } = probe;
      return { ...opened, head: announcement ? [announcement, ...head] : head };
    },
    wait: async () => {
      const result = await (reading ??= listen());
      if ('error' in result) throw result.error;
      return win(result.opened);
    },
    isPending: () => state === 'asked',
    hasAnswered: () => answer !== null,
    end: (isLeft) => {
      if (state !== 'asked') return;
      if (reading === null) probe.endedBy(null);
      else if (isLeft) probe.cancel('closed');
      finish();
    },
  };
};
