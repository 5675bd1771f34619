import { AppError } from '../../lib/errors.ts';
import type { Actor } from './actor.ts';
import type { LoginState, LoginStates } from './loginStates.ts';
import type { AccessTokens } from './tokens.ts';
import type { createTickets } from './tickets.ts';

/** What a request brought to show who makes it. */
export type RequestCredentials =
  { readonly via: 'bearer' | 'cookie'; readonly token: string } | { readonly via: 'ticket'; readonly token: string };

interface Parts {
  readonly accessTokens: AccessTokens;
  readonly tickets: ReturnType<typeof createTickets>;
  readonly loginStates: LoginStates;
}

const toActor = (state: LoginState, via: Actor['via'], expiresAt: Date): Actor => ({
  userId: state.ownerId,
  ownerId: state.ownerId,
  role: state.role,
  scopes: ['chat', 'read'],
  loginId: state.loginId,
  keyId: null,
  via,
  expiresAt,
});

/**
 * Who makes a request. A logout, a disabled or a deleted account is felt at the next call.
 * What a ticket opens lasts as long as the login it was made under.
 * @throws AppError `TOKEN_EXPIRED`, `TOKEN_INVALID`, `TOKEN_REVOKED`
 */
export const createAuthenticate =
  ({ accessTokens, tickets, loginStates }: Parts) =>
  async (credentials: RequestCredentials): Promise<Actor> => {
    if (credentials.via === 'ticket') {
      const { loginId } = await tickets.spendTicket(credentials.token);
      if (loginId === null) throw new AppError('TOKEN_INVALID');
      const state = await loginStates.getState(loginId);
      return toActor(state, 'ticket', state.expiresAt);
    }
    const claims = accessTokens.verify(credentials.token);
    const state = await loginStates.getState(claims.loginId);
    if (state.ownerId !== claims.userId) throw new AppError('TOKEN_INVALID');
    return toActor(state, credentials.via, claims.expiresAt);
  };
