import { z } from 'zod';
import { AppError } from '../../lib/errors.ts';
import { newId } from '../../lib/ids.ts';
import type { SecondFactor, User } from '../../models/entities.ts';
import type { Actor } from './actor.ts';
import { createPasswordCheck } from './changePassword.ts';
import type { AuthParts } from './deps.ts';
import { newRecoveryCodes, recoveryHash } from './recoveryCodes.ts';
import { createSecretBox, openJson } from './secretBox.ts';
import { wrongCode, type SecondProof } from './secondFactors.ts';
import { newTotpSecret, otpauthUri, stepOfCode } from './totp.ts';

const SETUP_TTL_SECONDS = 1800;

const offerSchema = z.strictObject({
  id: z.string(),
  secret: z.string(),
  recoveryHashes: z.array(z.string()),
  expiresAt: z.int(),
});
type Offer = z.infer<typeof offerSchema>;

/** How it stands with the second factor of an account that has one. */
export interface TotpStatus {
  readonly enabled: true;
  readonly enabledAt: Date;
  readonly recoveryCodesLeft: number;
}

/** A second factor to be had: nothing of it is stored until it is confirmed. */
export interface TotpOffer {
  readonly enabled: false;
  readonly secret: string;
  readonly otpauthUri: string;
  /** To be kept by the user; shown here and never again. */
  readonly recoveryCodes: readonly string[];
  /** Holds all of this for the confirmation, for this account alone. */
  readonly setupToken: string;
  readonly expiresInSeconds: number;
}

export interface TotpConfirmation {
  readonly setupToken: string;
  readonly code: string;
  readonly password: string;
}

export interface TotpRemoval {
  readonly password: string;
  readonly proof: SecondProof;
}

const statusOf = ({ enabledAt, recoveryHashes }: SecondFactor): TotpStatus => ({
  enabled: true,
  enabledAt,
  recoveryCodesLeft: recoveryHashes.length,
});

const badSetupToken = (message: string): AppError =>
  new AppError('VALIDATION_FAILED', { errors: [{ path: 'setupToken', message }] });

/** What users do about the second factor of their own account. */
export const createTotpSetup = (parts: AuthParts) => {
  const { stores, config, clock, logger, audit, mailer, throttle, secondFactors } = parts;
  const checkPassword = createPasswordCheck(parts);
  const box = createSecretBox(config.auth, 'second factor set-up');

  const getUser = async (actor: Actor): Promise<User> => {
    const user = await stores.users.findUser(actor.userId);
    if (!user) throw new AppError('TOKEN_REVOKED');
    return user;
  };

  const offer = ({ id: ownerId, username }: User): TotpOffer => {
    const [secret, recoveryCodes] = [newTotpSecret(), newRecoveryCodes()];
    const content: Offer = {
      id: newId(),
      secret,
      recoveryHashes: recoveryCodes.map(recoveryHash),
      expiresAt: clock.now() + SETUP_TTL_SECONDS * 1000,
    };
    return {
      enabled: false,
      secret,
      otpauthUri: otpauthUri(secret, config.auth.totpIssuer, username),
      recoveryCodes,
      setupToken: box.seal(JSON.stringify(content), ownerId),
      expiresInSeconds: SETUP_TTL_SECONDS,
    };
  };

  /** How it stands; for an account without a second factor, one to be had. Changes nothing. */
  const getTotp = async (actor: Actor): Promise<TotpStatus | TotpOffer> => {
    const user = await getUser(actor);
    const factor = await stores.secondFactors.findFactor(user.id);
    return factor ? statusOf(factor) : offer(user);
  };

  const readOffer = (setupToken: string, ownerId: string): Offer => {
    const read = openJson(box, { sealed: setupToken, context: ownerId }, offerSchema);
    if (!read || read.expiresAt <= clock.now()) throw badSetupToken('is not good, or not any more: get another one');
    return read;
  };

  /** Stores it; the same once more, as by who did not get the answer, is no mistake. */
  const enable = async (factor: SecondFactor): Promise<boolean> => {
    if (await stores.secondFactors.enableFactor(factor)) return true;
    const stored = await stores.secondFactors.findFactor(factor.ownerId);
    if (stored?.id === factor.id) return false;
    throw badSetupToken('is of no use: the account has a second factor already');
  };

  /**
   * Switches the second factor on, for who knows the password and has the authenticator. The code is spent by that.
   * @throws AppError `VALIDATION_FAILED` (the set-up token), `INVALID_CREDENTIALS` (password or code), `TOO_MANY_FAILURES`
   */
  const confirmTotp = async (actor: Actor, { setupToken, code, password }: TotpConfirmation): Promise<TotpStatus> => {
    const user = await getUser(actor);
    const { id, secret, recoveryHashes } = readOffer(setupToken, user.id);
    await checkPassword(user, password);
    const lastStep = stepOfCode(secret, code, clock.now());
    if (lastStep === null) throw wrongCode();
    const enabledAt = new Date(clock.now());
    const sealed = secondFactors.seal(secret, user.id);
    const factor: SecondFactor = { id, ownerId: user.id, ...sealed, enabledAt, lastStep, recoveryHashes };
    if (await enable(factor)) {
      await audit.recordNow({ action: 'mfa.enabled', actorId: user.id, ownerId: user.id });
      mailer.send(user.email, 'mfaEnabled', { username: user.username });
      logger.info('second factor enabled', { userId: user.id });
    }
    return statusOf(factor);
  };

  /**
   * Switches the second factor off, for who knows the password and has the authenticator or a recovery code.
   * @throws AppError `INVALID_CREDENTIALS` (password or code), `TOO_MANY_FAILURES`
   */
  const removeTotp = async (actor: Actor, { password, proof }: TotpRemoval): Promise<void> => {
    const user = await getUser(actor);
    await checkPassword(user, password);
    const reason = await secondFactors.use(user, proof, { places: throttle.placesOfUserCodes(user.id) });
    // There is nothing to switch off, which is what was wanted.
    if (reason === 'no second factor') return;
    if (reason !== null) {
      logger.info('second factor refused', { userId: user.id, reason });
      const details = { reason };
      audit.record({ action: 'mfa.refused', outcome: 'failure', actorId: user.id, ownerId: user.id, details });
      throw wrongCode();
    }
    await disableSecondFactor(parts, user, user.id);
    logger.info('second factor disabled', { userId: user.id });
  };

  return { getTotp, confirmTotp, removeTotp };
};

type DisableParts = Pick<AuthParts, 'audit' | 'mailer' | 'clock'> & {
  readonly stores: Pick<AuthParts['stores'], 'secondFactors'>;
};

/** Switches the second factor of an account off and tells its owner; without one, nothing happens. */
export const disableSecondFactor = async (
  { stores, audit, mailer, clock }: DisableParts,
  { id: ownerId, email, username }: User,
  actorId: string,
): Promise<void> => {
  if (!(await stores.secondFactors.disableFactor(ownerId, new Date(clock.now())))) return;
  await audit.recordNow({ action: 'mfa.disabled', actorId, ownerId });
  mailer.send(email, 'mfaDisabled', { username });
};
