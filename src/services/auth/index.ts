import { createAuthenticate } from './authenticate.ts';
import type { AuthDependencies, AuthParts } from './deps.ts';
import { createFirstAdmin } from './firstAdmin.ts';
import { createLogin } from './login.ts';
import { createLoginStates } from './loginStates.ts';
import { createLogout } from './logout.ts';
import { createMe } from './me.ts';
import { createPasswordRules } from './passwordRules.ts';
import { createRefresh } from './refresh.ts';
import { createRefreshTokens } from './refreshTokens.ts';
import { createSignup } from './signup.ts';
import { createTickets } from './tickets.ts';
import { createAccessTokens } from './tokens.ts';

export type { Actor, Scope } from './actor.ts';
export type { RequestCredentials } from './authenticate.ts';
export type { Client } from './deps.ts';
export { createLoginEnds, type LoginEnds } from './loginEnds.ts';
export { createPasswords, type Passwords } from './passwords.ts';
export type { Session } from './sessions.ts';

/** Accounts, logins and the credentials that prove them. */
export const createAuthService = (dependencies: AuthDependencies) => {
  const { config, clock } = dependencies;
  const parts: AuthParts = {
    ...dependencies,
    logger: dependencies.logger.child('auth'),
    rules: createPasswordRules(config.auth.passwordRules),
    accessTokens: createAccessTokens(config.auth, clock),
    refreshTokens: createRefreshTokens(config.auth),
  };
  const tickets = createTickets(parts);
  return {
    signup: createSignup(parts),
    login: createLogin(parts),
    refresh: createRefresh(parts),
    ...createLogout(parts),
    ...createMe(parts),
    createTicket: tickets.createTicket,
    authenticate: createAuthenticate({
      accessTokens: parts.accessTokens,
      tickets,
      loginStates: createLoginStates(parts),
    }),
    /** Called once at start, after the stores are open. */
    ensureFirstAdmin: createFirstAdmin(parts),
  };
};

export type AuthService = ReturnType<typeof createAuthService>;
