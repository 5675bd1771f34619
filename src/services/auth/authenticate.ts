import { AppError } from '../../lib/errors.ts';
import type { ApiKey } from '../../models/entities.ts';
import type { Actor } from './actor.ts';
import { isApiKey } from './apiKeyToken.ts';
import type { KeyStates } from './keyStates.ts';
import type { LastSeen } from './lastSeen.ts';
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
  readonly keyStates: KeyStates;
  readonly seen: { readonly logins: LastSeen; readonly keys: LastSeen };
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

/** A key stands for its owner's chats and never for what an admin may do. */
const toKeyActor = ({ id, ownerId, scopes, expiresAt }: ApiKey): Actor => ({
  userId: ownerId,
  ownerId,
  role: 'user',
  scopes: scopes.includes('chat') ? ['chat', 'read'] : scopes,
  loginId: null,
  keyId: id,
  via: 'bearer',
  expiresAt,
});

/**
 * Who makes a request. A logout, a disabled or a deleted account is felt at the next call.
 * What a ticket opens lasts as long as the access token it was bought with.
 * @throws AppError `TOKEN_EXPIRED`, `TOKEN_INVALID`, `TOKEN_REVOKED`
 */
export const createAuthenticate = ({ accessTokens, tickets, loginStates, keyStates, seen }: Parts) => {
  const byTicket = async (ticket: string): Promise<Actor> => {
    const { loginId, credentialExpiresAt } = await tickets.spendTicket(ticket);
    return toActor(await loginStates.getState(loginId), 'ticket', credentialExpiresAt);
  };

  const byKey = async (token: string): Promise<Actor> => {
    const key = await keyStates.getKey(token);
    seen.keys.saw(key.id);
    return toKeyActor(key);
  };

  const byAccessToken = async (token: string, via: 'bearer' | 'cookie'): Promise<Actor> => {
    const claims = accessTokens.verify(token);
    const state = await loginStates.getState(claims.loginId);
    if (state.ownerId !== claims.userId) throw new AppError('TOKEN_INVALID');
    seen.logins.saw(state.loginId);
    return toActor(state, via, claims.expiresAt);
  };

  return async ({ via, token }: RequestCredentials): Promise<Actor> => {
    if (via === 'ticket') return byTicket(token);
    // Never by cookie: a key is for programs.
    return via === 'bearer' && isApiKey(token) ? byKey(token) : byAccessToken(token, via);
  };
};
