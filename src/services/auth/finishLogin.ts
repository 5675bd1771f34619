import { isAppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import { invalidChallenge } from './challenges.ts';
import type { AuthParts, Client } from './deps.ts';
import { createLoginGate } from './loginGate.ts';
import { wrongCode, type SecondProof } from './secondFactors.ts';
import type { Session } from './sessions.ts';

/** The second step of a login. */
export interface SecondStep {
  readonly mfaToken: string;
  readonly proof: SecondProof;
}

/**
 * Finishes a login that was answered `MFA_REQUIRED`. Guesses count per account, whichever token they come with, and per
 * address; on a device that its user logged in on before they count there alone, as passwords do. A right password clears
 * neither count: who has only that gets as many guesses as anybody.
 * @throws AppError `TOKEN_INVALID` (the token: begin again), `INVALID_CREDENTIALS` (the code), `TOO_MANY_FAILURES`,
 *   `ACCOUNT_DISABLED`, `EMAIL_NOT_VERIFIED`
 */
export const createFinishLogin = (parts: AuthParts) => {
  const { stores, challenges, secondFactors, throttle, completeLogin, mailer, mailLimit } = parts;
  const { refuse, checkState } = createLoginGate(parts);

  /** Somebody has the first factor and does not get further: the owner should know, and is told once an hour. */
  const warn = ({ id, email, username }: User): void =>
    mailer.behind(async () => {
      if ((await mailLimit.hit(`mfa:${id}`)).used === 1) mailer.send(email, 'codesRefused', { username });
    });

  return async ({ mfaToken, proof }: SecondStep, client: Client): Promise<Session> => {
    const challenge = challenges.open(mfaToken);
    const user = await stores.users.findUser(challenge.ownerId);
    if (!user || !challenge.isOf(user)) throw invalidChallenge();
    const method = `${challenge.method}+${proof.kind}`;
    checkState(user, method, client);
    const places = throttle.placesOfCodes(user.id, client);
    const before = async (): Promise<void> => {
      if (!(await challenge.spend())) throw invalidChallenge();
    };
    const reason = await secondFactors.use(user, proof, { places, before }).catch((error: unknown) => {
      if (isAppError(error, 'TOO_MANY_FAILURES')) {
        refuse('too many failures', { method, user, client });
        warn(user);
      }
      throw error;
    });
    // Switched off since: the password alone is enough, but this token says that it is not.
    if (reason === 'no second factor') throw invalidChallenge();
    if (reason !== null) {
      refuse(reason, { method, user, client });
      throw wrongCode();
    }
    const isStillGood = ({ passwordHash }: User): boolean => passwordHash === user.passwordHash;
    return completeLogin(user, { method, hasSecondFactor: true, isStillGood }, client);
  };
};
