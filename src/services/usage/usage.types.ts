import type { QuotaError } from '../../models/errors.ts';
import type { UsageDay, UsageRecord, UsageSums } from '../../models/entities.ts';
import type { QuotaLimits, Reservation, ReservationKey } from '../../models/stores.ts';
import type { AppError } from '../../lib/errors.ts';
import type { Page } from '../../schemas/common.ts';
import type { Actor } from '../auth/actor.ts';
import type { AttemptRecord } from '../llm/router.types.ts';

/** What the calls of one answer are written down with. */
export interface BookedAnswer {
  readonly kind: UsageRecord['kind'];
  readonly ownerId: string;
  readonly createdBy: string;
  /** Under which its reservation was made: of a reply, the message's id. */
  readonly id: string;
  readonly chatId: string | null;
  readonly messageId: string | null;
  /** UTF-16 units of what the models are sent, and of what they have answered by now; only for a guess where they tell no tokens. */
  readonly promptUnits: number;
  readonly answerUnits: () => number;
}

/** A stateless completion that was let in. */
export interface OpenCompletion {
  /** Hand it to the router as `onAttempt`: writes down one call. Never throws, waits for nothing, may be called after `close`. */
  readonly onAttempt: (record: AttemptRecord) => void;
  /** Tells of text that a model answered; only for a guess where the endpoint tells no tokens. */
  answered(text: string): void;
  /** The answer has ended, whatever its end: its place is free at once, what else it reserved once its calls are in the books. Do it in a `finally`. */
  close(): void;
}

/** What a completion asks for. */
export interface CompletionNeeds {
  /** UTF-16 units of the messages together (`unitsOf`). */
  readonly promptUnits: number;
  /** The most tokens that may be answered; null: what the configuration says. */
  readonly maxTokens: number | null;
}

/** From the first day to the last one, both with all their hours, as `2026-11-21` in UTC. */
export interface UsageRange {
  readonly from: string;
  readonly to: string;
}

/** A period as a client names it, in ISO 8601 (range.ts). */
export interface AskedRange {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export interface QuotaState {
  /** 0: none. */
  readonly limit: number;
  readonly used: number;
  readonly reserved: number;
  /** When `used` begins at 0 again; null for what comes free as answers end. */
  readonly resetsAt: Date | null;
}

export interface UsageSummary {
  readonly range: UsageRange;
  readonly totals: UsageSums;
  /** Days on which something was used, in order. */
  readonly days: readonly (UsageSums & Pick<UsageDay, 'day'>)[];
  /** The dearest first. */
  readonly models: readonly (UsageSums & Pick<UsageDay, 'model'>)[];
  readonly quotas: Readonly<Record<keyof QuotaLimits, QuotaState>>;
}

/** The books of what models cost, and the quotas that hang on them. */
export interface UsageService {
  /**
   * What a turn of an owner, of so many UTF-16 units of text, has to reserve; null where no quota is set. The store takes it with the turn
   * (`NewTurn.reservation`), so that a refused send stores nothing and a known one is recognised first.
   */
  reservation(ownerId: string, units: number): Reservation | null;
  /** A refusal of the store as clients are told it: `QUOTA_EXCEEDED`, with which quota it was and when to come back. */
  refusal(error: QuotaError): AppError;
  /** A turn was stored with this reservation: it is kept alive from now on until `release`. */
  hold(key: ReservationKey, taken: Reservation): void;
  /** The answer has ended: its place is free at once, what else it reserved when its calls are in the books. */
  release(id: string): void;
  /** Where the router tells of the calls for an answer (`RoutedRequest.onAttempt`). Never throws, waits for nothing. */
  recorder(answer: BookedAnswer): (record: AttemptRecord) => void;
  /**
   * Lets a stateless completion in, or not; to be called before a model is asked, and `close` of it afterwards.
   * @throws AppError `QUOTA_EXCEEDED` (429, `retryAfterMs`, `detail` says which quota), `STORE_UNAVAILABLE`
   */
  openCompletion(actor: Pick<Actor, 'ownerId' | 'userId'>, needs: CompletionNeeds): Promise<OpenCompletion>;
  /**
   * What the actor used. Everything that ended on this node before the call is in it, but calls whose books are still looked up.
   * @throws AppError `VALIDATION_FAILED` for a period that is none or longer than 400 days
   */
  summary(actor: Pick<Actor, 'ownerId'>, asked: AskedRange): Promise<UsageSummary>;
  /** Call by call, the newest first: what the summary of the same period adds up. @throws AppError too: `CURSOR_INVALID` */
  attempts(
    actor: Pick<Actor, 'ownerId'>,
    asked: AskedRange & { readonly limit: number; readonly cursor?: string | undefined },
  ): Promise<Page<UsageRecord>>;
  /** Drops what is not written yet of an owner who is gone, and whatever of it is still to come. */
  forgetOwner(ownerId: string): Promise<void>;
  /** Writes what is not written, guessing what is still looked up. */
  close(): Promise<void>;
}
