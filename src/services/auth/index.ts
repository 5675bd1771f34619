import { createApiKeys } from './apiKeys.ts';
import { createAuthenticate } from './authenticate.ts';
import { createChangePassword } from './changePassword.ts';
import type { AuthDependencies, AuthParts } from './deps.ts';
import { createDeviceTokens } from './devices.ts';
import { createFirstAdmin } from './firstAdmin.ts';
import { createHistory } from './history.ts';
import { createKeyStates } from './keyStates.ts';
import { createLastSeen } from './lastSeen.ts';
import { createLogin } from './login.ts';
import { createLoginStates } from './loginStates.ts';
import { createLogins } from './logins.ts';
import { createLogout } from './logout.ts';
import { createMailTokens } from './mailTokens.ts';
import { createMe } from './me.ts';
import { createPasswordRules } from './passwordRules.ts';
import { createRefresh } from './refresh.ts';
import { createRefreshTokens } from './refreshTokens.ts';
import { createResetPassword } from './resetPassword.ts';
import { createSignup } from './signup.ts';
import { createThrottle } from './throttle.ts';
import { createTickets } from './tickets.ts';
import { createAccessTokens } from './tokens.ts';
import { createVerifyEmail } from './verifyEmail.ts';

export type { Actor, Scope } from './actor.ts';
export type { RequestCredentials } from './authenticate.ts';
export type { CreatedApiKey } from './apiKeys.ts';
export { deleteAccount, lastAdminError } from './deleteAccount.ts';
export type { Client } from './deps.ts';
export { createLoginEnds, type LoginEnds } from './loginEnds.ts';
export { createPasswords, type Passwords } from './passwords.ts';
export type { Session } from './sessions.ts';

/** Accounts, logins and the credentials that prove them. */
export const createAuthService = (dependencies: AuthDependencies) => {
  const { config, clock, limits } = dependencies;
  const devices = createDeviceTokens(config.auth, () => clock.now());
  const parts: AuthParts = {
    ...dependencies,
    logger: dependencies.logger.child('auth'),
    rules: createPasswordRules(config.auth.passwordRules),
    accessTokens: createAccessTokens(config.auth, clock),
    refreshTokens: createRefreshTokens(config.auth),
    devices,
    mailTokens: createMailTokens(dependencies),
    mailLimit: limits.mails,
    throttle: createThrottle(limits.failures, devices),
  };
  const tickets = createTickets(parts);
  const { stores, logger } = parts;
  const seen = {
    logins: createLastSeen({ write: (ids) => stores.logins.touchLogins(ids), clock, logger }),
    keys: createLastSeen({ write: (ids) => stores.apiKeys.touchKeys(ids), clock, logger }),
  };
  return {
    signup: createSignup(parts),
    login: createLogin(parts),
    refresh: createRefresh(parts),
    ...createLogout(parts),
    ...createMe(parts),
    changePassword: createChangePassword(parts),
    ...createVerifyEmail(parts),
    ...createResetPassword(parts),
    ...createLogins(parts),
    ...createApiKeys(parts),
    listHistory: createHistory(parts),
    createTicket: tickets.createTicket,
    authenticate: createAuthenticate({
      accessTokens: parts.accessTokens,
      tickets,
      loginStates: createLoginStates(parts),
      keyStates: createKeyStates(parts),
      seen,
    }),
    /** Called once at start, after the stores are open. */
    ensureFirstAdmin: createFirstAdmin(parts),
    /** Writes down when logins and keys were used last. */
    close: async () => {
      await seen.logins.close();
      await seen.keys.close();
    },
  };
};

export type AuthService = ReturnType<typeof createAuthService>;
