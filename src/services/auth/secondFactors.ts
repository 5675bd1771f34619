import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import { AppError } from '../../lib/errors.ts';
import type { Logger } from '../../lib/logger.ts';
import type { SecondFactor, User } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { Audit } from '../audit/index.ts';
import type { Mailer } from '../mail/index.ts';
import { readRecoveryCode, recoveryHash } from './recoveryCodes.ts';
import { createSecretBox } from './secretBox.ts';
import type { Place, Throttle } from './throttle.ts';
import { stepOfCode } from './totp.ts';

/** What somebody shows as a second factor. */
export interface SecondProof {
  readonly kind: 'totp' | 'recovery-code';
  /** As typed. */
  readonly code: string;
}

/** Why a proof is not good; `spent`: it was, and was used. */
export type NotGood = 'no second factor' | 'wrong code' | 'code used before';

interface Verdict {
  readonly matches: boolean;
  /** Whether it counts as a guess: who shows a code again that was right guesses nothing. */
  readonly counts: boolean;
  readonly reason?: NotGood;
  /** Uses it up; false when somebody else did at this moment. */
  readonly spend?: () => Promise<boolean>;
}

const wrong = (reason: NotGood, counts: boolean): Verdict => ({ matches: false, counts, reason });

/** A code that was refused, to who typed it. */
export const wrongCode = (): AppError => {
  const message = 'is not right, or was used before';
  return new AppError('INVALID_CREDENTIALS', { detail: 'The code is wrong', errors: [{ path: 'code', message }] });
};

interface Parts {
  readonly stores: Pick<Stores, 'secondFactors'>;
  readonly config: Pick<Config, 'auth'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: Audit;
  readonly mailer: Mailer;
  readonly throttle: Throttle;
}

/** The second factors of accounts: sealed in the database, used up code by code. */
export const createSecondFactors = (parts: Parts) => {
  const { stores, config, clock, logger, audit, mailer, throttle } = parts;
  const box = createSecretBox(config.auth, 'second factor');

  /** From the key before to the present one, so that the next change of keys loses nobody. @returns whether it was done */
  const rewrap = async ({ ownerId, secret, keyId }: SecondFactor): Promise<boolean> => {
    const text = keyId === box.previousKeyId ? box.open(secret, ownerId) : null;
    if (text === null) return false;
    return stores.secondFactors.replaceSecret(ownerId, secret, { secret: box.seal(text, ownerId), keyId: box.keyId });
  };

  const checkCode = async (factor: SecondFactor, code: string): Promise<Verdict> => {
    const { id, ownerId, lastStep } = factor;
    const secret = box.open(factor.secret, ownerId);
    if (secret === null) {
      logger.error('a second factor cannot be read: its key is gone, only recovery codes are left', {
        userId: ownerId,
      });
      return wrong('wrong code', true);
    }
    const step = stepOfCode(secret, code, clock.now());
    if (step === null) return wrong('wrong code', true);
    if (step <= lastStep) return wrong('code used before', false);
    await rewrap(factor);
    return { matches: true, counts: true, spend: () => stores.secondFactors.spendStep(ownerId, id, step) };
  };

  const recovered = ({ id, email, username }: User, left: number): void => {
    audit.record({ action: 'mfa.recovery-used', actorId: id, ownerId: id, details: { left: String(left) } });
    mailer.send(email, 'recoveryCodeUsed', { username, left });
    logger.info('recovery code used', { userId: id, left });
  };

  const checkRecoveryCode = (factor: SecondFactor, user: User, typed: string): Verdict => {
    const code = readRecoveryCode(typed);
    const hash = code === null ? null : recoveryHash(code);
    if (hash === null || !factor.recoveryHashes.includes(hash)) return wrong('wrong code', true);
    const spend = async (): Promise<boolean> => {
      const isMine = await stores.secondFactors.spendRecoveryCode(user.id, hash);
      if (isMine) recovered(user, factor.recoveryHashes.length - 1);
      return isMine;
    };
    return { matches: true, counts: true, spend };
  };

  const check = async (user: User, { kind, code }: SecondProof): Promise<Verdict> => {
    const factor = await stores.secondFactors.findFactor(user.id);
    if (!factor) return wrong('no second factor', false);
    return kind === 'totp' ? checkCode(factor, code) : checkRecoveryCode(factor, user, code);
  };

  return {
    /**
     * Uses up what somebody shows, if it is good; counted where guesses count.
     * @param before runs when the proof is good and before it is used up; what it throws comes out, and nothing is
     * @returns null, or why it is not good
     * @throws AppError `TOO_MANY_FAILURES`
     */
    use: async (
      user: User,
      proof: SecondProof,
      { places, before }: { readonly places: readonly Place[]; readonly before?: () => Promise<void> },
    ): Promise<NotGood | null> => {
      const { reason } = await throttle.attempt(places, async () => {
        const verdict = await check(user, proof);
        if (!verdict.spend) return verdict;
        await before?.();
        return (await verdict.spend()) ? verdict : wrong('code used before', false);
      });
      return reason ?? null;
    },
    /** A secret as it is to be stored. */
    seal: (secret: string, ownerId: string) => ({ secret: box.seal(secret, ownerId), keyId: box.keyId }),
    /** Brings at most `limit` secrets under the present key; returns how many. */
    rewrapSecondFactors: async (limit: number): Promise<number> => {
      if (box.previousKeyId === null) return 0;
      let count = 0;
      for (const factor of await stores.secondFactors.listFactorsByKey(box.previousKeyId, limit)) {
        if (await rewrap(factor)) count += 1;
      }
      return count;
    },
  };
};

export type SecondFactors = ReturnType<typeof createSecondFactors>;
