import { AppError } from '../../lib/errors.ts';
import type { User } from '../../models/entities.ts';
import type { AuthParts, CompleteLogin, LoginProof } from './deps.ts';
import { createNewLoginNotice } from './notices.ts';
import { startSession } from './sessions.ts';

/**
 * What follows every proof of who somebody is, whichever door they came through: the login, its place in the audit log, the
 * mail about a new device, the token by which the device is known. An account with a second factor is asked for it before
 * anything is stored. The caller has looked at the account's state (`checkState`).
 * @throws AppError `MFA_REQUIRED` with `mfaToken`, when the proof lacks a second factor that the account has;
 *   `INVALID_CREDENTIALS`, when the proof was overtaken by a change of the account
 */
export const createCompleteLogin = (parts: Omit<AuthParts, 'completeLogin'>): CompleteLogin => {
  const { stores, devices, events, clock, logger, audit, challenges } = parts;
  const tellOfNewLogin = createNewLoginNotice(parts);

  /**
   * The account, read once more after the login was stored: a change of the password, or an end of all logins, that came
   * between the check and the login has not ended this one, so that it must end here.
   */
  const confirm = async (user: User, proof: LoginProof, loginId: string): Promise<User> => {
    const now = new Date(clock.now());
    const updated = await stores.users.updateUser(user.id, { lastLoginAt: now }, now);
    const isEnough = updated?.status === 'active' && (proof.hasSecondFactor || !updated.mfaEnabled);
    if (updated && isEnough && (await proof.isStillGood(updated))) return updated;
    await stores.logins.endLogin(user.id, loginId, now);
    events.publish('loginEnded', { ownerId: user.id, loginId });
    throw new AppError('INVALID_CREDENTIALS');
  };

  return async (user, proof, client) => {
    if (user.mfaEnabled && !proof.hasSecondFactor) throw await challenges.ask(user, proof.method);
    const session = await startSession(parts, user, client);
    const confirmed = await confirm(user, proof, session.loginId);
    const details = { method: proof.method };
    audit.record({ action: 'login.succeeded', actorId: user.id, ownerId: user.id, targetId: session.loginId, details });
    tellOfNewLogin(user, session.loginId, client);
    logger.info('logged in', { userId: user.id, ip: client.ip });
    const deviceToken = devices.issue(user.id, devices.read(client.deviceToken, user.id));
    return { ...session, user: confirmed, deviceToken };
  };
};
