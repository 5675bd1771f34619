import { createAttempt, type Attempt, type AttemptTools } from './attempt.ts';
import { continuationMessages, createSeam, type Seam } from './continuation.ts';
import type { CallRole, ModelPool, PooledModel } from './modelPool.ts';
import { fitWindow } from './modelWindow.ts';
import { ProviderError, type LlmPart, type LlmRequest, type StreamTimeouts } from './provider.ts';
import type { RoutedPart, RoutedRequest } from './router.types.ts';
import type { RouterSettings } from './settings.ts';

export interface TurnTools extends AttemptTools {
  readonly pool: ModelPool;
  readonly affinity: 'message' | 'chat';
  readonly temperature: number;
  readonly maxTokens: number;
  readonly settings: Pick<RouterSettings, 'continuation'>;
}

export interface TurnPlan extends CallRole {
  readonly model: PooledModel;
  readonly number: number;
  readonly chosenBy: string;
  /** Its own waits, in milliseconds. */
  readonly timeouts: StreamTimeouts;
  /** What clients have of the answer, for a turn that goes on with it; else null. */
  readonly partial: string | null;
  /** Whether it may have to end before its request does. */
  readonly isRaced: boolean;
}

/** Why a call was ended that its request did not wait for any more. */
class TurnCancelled extends Error {
  readonly reason: string;

  constructor(reason: string) {
    super(`call ended: ${reason}`);
    this.name = 'TurnCancelled';
    this.reason = reason;
  }
}

/** A model that was to go on with an answer wrote something else. */
export class SeamMismatch extends Error {
  constructor() {
    super('the model did not go on where the answer broke off');
    this.name = 'SeamMismatch';
  }
}

/** One model's turn at a request: a place at the model, one call, and what of its answer clients are shown. */
export interface Turn {
  readonly model: PooledModel;
  readonly attempt: Attempt;
  readonly plan: TurnPlan;
  /** Told before the model is asked; one that goes on with an answer is told when it does. */
  readonly announcement: RoutedPart | null;
  /** Whether anything of this call was passed on that a client may have seen, unless the request `isWhole`. */
  hasShown(): boolean;
  /** Waits for a place and asks. @throws ProviderError `unavailable` when there is none in time */
  ask(): Promise<AsyncIterable<LlmPart>>;
  /** What a part lets out. @throws ProviderError, SeamMismatch */
  readonly pass: (part: LlmPart) => readonly RoutedPart[];
  /** Ends a raced call; its stream then throws. */
  cancel(reason: string): void;
  /**
   * Gives the place back and writes down how the call ended.
   * @returns the failure, if it was one of the model's
   */
  endedBy(error: unknown): ProviderError | null;
  /** The same for a call that ended well, or that its reader left. */
  close(): void;
}

const toLlmRequest = (tools: TurnTools, request: RoutedRequest, plan: TurnPlan): LlmRequest => {
  const { temperature = tools.temperature, maxTokens = tools.maxTokens, extra, chatId } = request;
  const { model, partial } = plan;
  const messages =
    partial === null ? request.messages : continuationMessages(request.messages, partial, tools.settings.continuation);
  return {
    model: model.slug,
    messages: fitWindow(messages, { contextLength: model.offered?.contextLength ?? null, maxTokens }),
    temperature,
    maxTokens,
    ...(extra === undefined ? {} : { extra }),
    ...(tools.affinity === 'chat' ? { sessionId: chatId } : {}),
    ...(request.isGathered === true ? { isGathered: true } : {}),
  };
};

/** Whoever goes on with an answer sends its text before these. */
const ENDS_SEAM: ReadonlySet<LlmPart['type']> = new Set(['finish', 'tool_calls', 'refusal']);
/** Not shown of what only repeats the end of the answer. */
const ABOUT_REPEATED: ReadonlySet<LlmPart['type']> = new Set(['reasoning', 'extra']);

/** Lets out what is new in a continued answer, after the word that another model writes on. */
const createSeamPass = (attempt: Attempt, seam: Seam, announcement: RoutedPart) => {
  const acceptText = (text: string): readonly RoutedPart[] => {
    const wasMatched = seam.isMatched();
    const fresh = seam.accept(text);
    if (fresh === null) throw new SeamMismatch();
    const delta: readonly RoutedPart[] = fresh === '' ? [] : [{ type: 'delta', text: fresh }];
    return seam.isMatched() && !wasMatched ? [announcement, ...delta] : delta;
  };

  return (part: LlmPart): readonly RoutedPart[] => {
    if (!seam.isMatched() && ENDS_SEAM.has(part.type)) throw new SeamMismatch();
    return attempt.pass(part).flatMap((passed): readonly RoutedPart[] => {
      if (passed.type === 'delta') return acceptText(passed.text);
      return seam.isMatched() || !ABOUT_REPEATED.has(passed.type) ? [passed] : [];
    });
  };
};

export const createTurn = (tools: TurnTools, asked: TurnAsked, plan: TurnPlan): Turn => {
  const { request } = asked;
  const { model, number, chosenBy, partial } = plan;
  const attempt = createAttempt(tools, {
    request: toLlmRequest(tools, request, plan),
    number,
    chosenBy,
    watcher: tools.pool.watch(model, plan),
    onAttempt: request.onAttempt,
  });
  const announcement: RoutedPart = { type: 'model', model: model.slug, reason: chosenBy };
  const seam = partial === null ? null : createSeam(partial, tools.settings.continuation);
  const controller = plan.isRaced ? new AbortController() : null;
  const signal = controller?.signal ?? asked.signal;
  const onAbort = (): void => controller?.abort(asked.signal.reason);
  if (controller) asked.signal.addEventListener('abort', onAbort);
  let leave: (() => void) | null = null;

  const release = (): void => {
    asked.signal.removeEventListener('abort', onAbort);
    leave?.();
    leave = null;
  };
  const cancelledBy = (): string => (signal.reason instanceof TurnCancelled ? signal.reason.reason : 'aborted');

  return {
    model,
    attempt,
    plan,
    announcement: seam ? null : announcement,
    hasShown: () => (seam ? seam.isMatched() : attempt.hasContent()),
    ask: async () => {
      leave = await model.gate.enter(signal);
      return attempt.answer(signal, plan.timeouts);
    },
    pass: seam ? createSeamPass(attempt, seam, announcement) : attempt.pass,
    cancel: (reason) => controller?.abort(new TurnCancelled(reason)),
    endedBy: (error) => {
      release();
      const isFailure = error instanceof ProviderError && attempt.isBegun() && !signal.aborted;
      if (isFailure) {
        attempt.failed(error);
        return error;
      }
      attempt.cancelled(error instanceof SeamMismatch ? 'no-match' : signal.aborted ? cancelledBy() : 'not-asked');
      return null;
    },
    close: () => {
      release();
      attempt.cancelled('closed');
    },
  };
};

/** What a turn is taken at. */
export interface TurnAsked {
  readonly request: RoutedRequest;
  readonly signal: AbortSignal;
}
