import { createApiKeys } from './apiKeys.ts';
import { createAuthenticate } from './authenticate.ts';
import { createChangePassword } from './changePassword.ts';
import type { AuthDependencies } from './deps.ts';
import { createFinishLogin } from './finishLogin.ts';
import { createFirstAdmin } from './firstAdmin.ts';
import { createHistory } from './history.ts';
import { createKeyStates } from './keyStates.ts';
import { createLastSeen } from './lastSeen.ts';
import { createLogin } from './login.ts';
import { createLoginStates } from './loginStates.ts';
import { createLogins } from './logins.ts';
import { createLogout } from './logout.ts';
import { createMe } from './me.ts';
import { createOidc } from './oidc/index.ts';
import { createParts } from './parts.ts';
import { createRefresh } from './refresh.ts';
import { createResetPassword } from './resetPassword.ts';
import { createSignup } from './signup.ts';
import { createTickets } from './tickets.ts';
import { createTotpSetup } from './totpSetup.ts';
import { createVerifyEmail } from './verifyEmail.ts';

export type { Actor, Scope } from './actor.ts';
export type { RequestCredentials } from './authenticate.ts';
export type { CreatedApiKey } from './apiKeys.ts';
export { deleteAccount, lastAdminError } from './deleteAccount.ts';
export type { Client } from './deps.ts';
export { createLoginEnds, type LoginEnds } from './loginEnds.ts';
export { createPasswords, type Passwords } from './passwords.ts';
export { watchOtherNodes } from './otherNodes.ts';
export type { SecondProof } from './secondFactors.ts';
export type { Session } from './sessions.ts';
export { disableSecondFactor, type TotpOffer, type TotpStatus } from './totpSetup.ts';

/** Accounts, logins and the credentials that prove them. */
export const createAuthService = (dependencies: AuthDependencies) => {
  const parts = createParts(dependencies);
  const tickets = createTickets(parts);
  const { stores, clock, logger, secondFactors } = parts;
  const seen = {
    logins: createLastSeen({ write: (ids) => stores.logins.touchLogins(ids), clock, logger }),
    keys: createLastSeen({ write: (ids) => stores.apiKeys.touchKeys(ids), clock, logger }),
  };
  return {
    signup: createSignup(parts),
    login: createLogin(parts),
    finishLogin: createFinishLogin(parts),
    ...createTotpSetup(parts),
    refresh: createRefresh(parts),
    ...createLogout(parts),
    ...createMe(parts),
    oidc: createOidc(parts),
    changePassword: createChangePassword(parts),
    ...createVerifyEmail(parts),
    ...createResetPassword(parts),
    ...createLogins(parts),
    ...createApiKeys(parts),
    listHistory: createHistory(parts),
    /** Called now and then, for what was sealed under the key before. */
    rewrapSecondFactors: secondFactors.rewrapSecondFactors,
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
