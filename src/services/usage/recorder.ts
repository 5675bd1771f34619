import type { Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Usage, UsageRecord } from '../../models/entities.ts';
import type { AttemptRecord } from '../llm/router.types.ts';
import { guessUsage, isUnknown } from './guess.ts';
import type { Lookup } from './lookup.ts';
import type { BookedAnswer } from './usage.types.ts';

export interface RecorderOptions {
  readonly lookup: Lookup;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, 'llmTokens' | 'llmCost'>;
  readonly logger: Logger;
  readonly write: (record: UsageRecord) => void;
  /** Called for a call whose books are not known yet; what it returns, when they are. */
  readonly wait: (answerId: string) => () => void;
}

const NOTHING: Required<Usage> = {
  promptTokens: 0,
  completionTokens: 0,
  totalTokens: 0,
  reasoningTokens: 0,
  cachedTokens: 0,
  costMicroUsd: 0,
  estimated: false,
};

type ToRecord = (attempt: AttemptRecord, usage: Usage | null) => UsageRecord;

const toRecord =
  (answer: BookedAnswer, at: Date): ToRecord =>
  (attempt, usage) => ({
    id: newId(),
    ownerId: answer.ownerId,
    createdBy: answer.createdBy,
    at,
    kind: answer.kind,
    chatId: answer.chatId,
    messageId: answer.messageId,
    number: attempt.number,
    model: attempt.model,
    provider: attempt.provider,
    generationId: attempt.generationId,
    ...NOTHING,
    ...usage,
    firstTokenMs: attempt.firstTokenMs,
    durationMs: attempt.durationMs,
    chosenBy: attempt.chosenBy,
    outcome: attempt.outcome,
    reason: attempt.reason,
  });

/** Makes records of calls, with the books that the stream brought, else those that the endpoint tells later, else a guess. */
export const createRecorder = (options: RecorderOptions) => {
  const { lookup, clock, metrics, write, wait } = options;
  const log = options.logger.child('usage');

  const count = (record: UsageRecord): void => {
    const { model } = record;
    metrics.llmTokens(model, 'prompt', record.promptTokens);
    metrics.llmTokens(model, 'completion', record.completionTokens);
    // Most calls have none of these.
    if (record.reasoningTokens > 0) metrics.llmTokens(model, 'reasoning', record.reasoningTokens);
    if (record.cachedTokens > 0) metrics.llmTokens(model, 'cached', record.cachedTokens);
    metrics.llmCost(model, record.costMicroUsd);
  };

  const book = (record: UsageRecord): void => {
    write(record);
    count(record);
  };

  const lookUp = async (generationId: string, attempt: AttemptRecord, found: (usage: Usage | null) => void) => {
    const usage = await lookup.find(generationId);
    if (!usage) log.debug('the books of a call are a guess', { model: attempt.model, generationId });
    found(usage);
  };

  return (answer: BookedAnswer) => {
    let unitsBefore = 0;

    /** The call's own part of the answer: what the calls before it wrote is theirs. */
    const guess = (attempt: AttemptRecord): Usage | null => {
      const units = answer.answerUnits();
      const guessed = guessUsage(attempt, { prompt: answer.promptUnits, answer: units - unitsBefore });
      // What has been written by now is another call's that runs beside one without a token.
      if (attempt.firstTokenMs !== null) unitsBefore = units;
      return guessed;
    };

    return (attempt: AttemptRecord): void => {
      const of = toRecord(answer, new Date(clock.now()));
      const { generationId } = attempt;
      const guessed = of(attempt, guess(attempt));
      if (!isUnknown(attempt) || generationId === null) {
        book(guessed);
        return;
      }
      const done = wait(answer.id);
      void lookUp(generationId, attempt, (usage) => {
        book(usage ? of(attempt, usage) : guessed);
        done();
      });
    };
  };
};
