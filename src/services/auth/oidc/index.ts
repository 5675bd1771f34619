import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { AppError, isAppError } from '../../../lib/errors.ts';
import type { User } from '../../../models/entities.ts';
import type { AuthParts, Client } from '../deps.ts';
import { createLoginGate } from '../loginGate.ts';
import type { Session } from '../sessions.ts';
import { createOidcAccounts } from './accounts.ts';
import { createCodes } from './codes.ts';
import { createIdentities } from './identities.ts';
import { createProvider, describeFailure, SignInError, type Provider } from './provider.ts';
import { createReturnTo, withParameters } from './returnTo.ts';
import { createSeal } from './seals.ts';

/** How a sign-in is to begin and to end. */
export interface SignInStart {
  readonly returnTo?: string | undefined;
  /**
   * `cookie`: the browser that comes back is logged in. `token`: it brings back a code, for which the app gets tokens. `link`: a
   * code by which who is signed in adds this way in.
   */
  readonly session: 'cookie' | 'token' | 'link';
  /** With `token` and `link`: base64url SHA-256 of what only the app knows that begins. */
  readonly codeChallenge?: string | undefined;
}

export interface StartedSignIn {
  /** At the provider. */
  readonly url: string;
  /** For the browser to keep until it comes back. */
  readonly transaction: string;
  readonly expiresInMs: number;
}

/** What a browser brought back from a provider. */
export interface SignInReturn {
  /** What is behind `?`. */
  readonly query: string;
  readonly transaction: string | undefined;
}

export interface EndedSignIn {
  readonly redirectTo: string;
  /** For the browser's cookies; null: it is not logged in by them. */
  readonly session: Session | null;
}

const TRANSACTION = {
  kind: 'oidc transaction',
  ttlMs: 10 * 60_000,
  content: z.object({
    provider: z.string(),
    state: z.string(),
    nonce: z.string(),
    verifier: z.string(),
    returnTo: z.string(),
    session: z.enum(['cookie', 'token', 'link']),
    codeChallenge: z.string(),
  }),
} as const;
type Transaction = z.output<(typeof TRANSACTION)['content']>;

const LOGIN_CODE = {
  kind: 'oidc login code',
  content: z.object({ ownerId: z.string(), provider: z.string(), stamp: z.string() }),
} as const;

/** Another one after a change of the password, and after a reset of it, which may have taken the identity away. */
const stampOf = ({ passwordHash, emailVerified }: User): string =>
  createHash('sha256')
    .update(`${String(emailVerified)} ${passwordHash}`)
    .digest('base64url');

const randomText = (): string => randomBytes(32).toString('base64url');
const methodOf = (providerId: string): string => `oidc:${providerId}`;

/** Sign-in by OpenID Connect: authorization code flow with PKCE, `state` and `nonce` (RFC 9700 §2.1.1). */
export const createOidc = (parts: AuthParts) => {
  const { stores, config, clock } = parts;
  const logger = parts.logger.child('oidc');
  const gate = createLoginGate(parts);
  const findAccount = createOidcAccounts(parts);
  const transactions = createSeal(config.auth, clock, TRANSACTION);
  const loginCodes = createCodes(parts, LOGIN_CODE);
  const checkReturnTo = createReturnTo(config);
  const options = { allowsLoopback: !config.isProduction, clock, logger };
  const providers = new Map(config.oidc.providers.map((provider) => [provider.id, createProvider(provider, options)]));

  const identities = createIdentities(parts, (id) => providers.get(id)?.label ?? id);

  const getProvider = (id: string): Provider => {
    const provider = providers.get(id);
    if (!provider) throw new AppError('NOT_FOUND', { detail: 'There is no such provider' });
    return provider;
  };

  const redirectUriOf = (id: string): string => `${config.oidc.baseUrl}/api/auth/oidc/${id}/callback`;

  /**
   * Sends a user to a provider.
   * @throws AppError `NOT_FOUND`, `VALIDATION_FAILED`, `PROVIDER_UNAVAILABLE`
   */
  const beginSignIn = async (id: string, { returnTo, session, codeChallenge }: SignInStart): Promise<StartedSignIn> => {
    const provider = getProvider(id);
    const address = checkReturnTo(returnTo);
    if (address.isApp && session === 'cookie') {
      const errors = [{ path: 'session', message: 'must be token: cookies do not get to an app' }];
      throw new AppError('VALIDATION_FAILED', { errors });
    }
    const checks = { state: randomText(), nonce: randomText(), verifier: randomText() };
    const challenge = createHash('sha256').update(checks.verifier).digest('base64url');
    const url = await provider.authorizationUrl({ ...checks, redirectUri: redirectUriOf(id) }, challenge);
    const content = { ...checks, provider: id, returnTo: address.href, session, codeChallenge: codeChallenge ?? '' };
    return { url, transaction: transactions.seal(content), expiresInMs: transactions.ttlMs };
  };

  const openTransaction = (id: string, { query, transaction }: SignInReturn, client: Client): Transaction => {
    getProvider(id);
    const kept = transactions.open(transaction);
    if (kept?.provider === id && new URLSearchParams(query).get('state') === kept.state) return kept;
    gate.refuse(kept ? 'wrong state' : 'no transaction', { method: methodOf(id), user: null, client });
    const detail = 'This sign-in was not begun in this browser, or more than ten minutes ago: begin again';
    throw new AppError('SIGN_IN_FAILED', { detail });
  };

  /** The last step, the same for a browser and an app. */
  const logIn = (user: User, providerId: string, client: Client): Promise<Session> => {
    const method = methodOf(providerId);
    gate.checkState(user, method, client);
    const isStillGood = (now: User): boolean => stampOf(now) === stampOf(user);
    // Who turned a second factor on here asked for it here: what the provider did is not taken for it.
    return parts.completeLogin(user, { method, hasSecondFactor: false, isStillGood }, client);
  };

  /** What follows from who came back. */
  const finish = async (kept: Transaction, query: string, client: Client): Promise<EndedSignIn> => {
    const { session, returnTo, codeChallenge } = kept;
    const provider = getProvider(kept.provider);
    const profile = await provider.readProfile(query, { ...kept, redirectUri: redirectUriOf(provider.id) });
    if (session === 'link') {
      const { issuer, subject, email } = profile;
      const content = { provider: provider.id, issuer, subject, email };
      const code = await identities.issueLinkCode(codeChallenge, content);
      return { redirectTo: withParameters(returnTo, { code }), session: null };
    }
    const user = await findAccount(profile, provider, client);
    if (session === 'cookie') return { redirectTo: returnTo, session: await logIn(user, provider.id, client) };
    const code = await loginCodes.issueCode(codeChallenge, user.id, {
      ownerId: user.id,
      provider: provider.id,
      stamp: stampOf(user),
    });
    return { redirectTo: withParameters(returnTo, { code }), session: null };
  };

  /** What a failure is to the user; that of a provider is written down here. @throws what is no failure of the sign-in */
  const toRefusal = (error: unknown, { provider }: Transaction, client: Client): AppError => {
    const isSignIn = error instanceof SignInError;
    if (!isSignIn && !isAppError(error)) throw error;
    if (!isSignIn && error.code !== 'PROVIDER_UNAVAILABLE') return error;
    const reason = isSignIn ? error.reason : 'provider unavailable';
    const why = isSignIn ? error.message : describeFailure(error.cause);
    logger.warn('sign-in at a provider failed', { provider, reason, why });
    gate.refuse(reason, { method: methodOf(provider), user: null, client });
    return isSignIn ? new AppError('SIGN_IN_FAILED', { detail: `The sign-in failed (${reason}): begin again` }) : error;
  };

  /**
   * Ends a sign-in whose user came back. What goes wrong from here on is told where the sign-in leads back to, as
   * `?error=<code>&error_description=…`; a second factor that is missing as `?error=MFA_REQUIRED#mfaToken=…`.
   * @throws AppError `NOT_FOUND`; `SIGN_IN_FAILED` when it was not begun in this browser, so that nobody knows where it leads back to
   */
  const endSignIn = async (id: string, back: SignInReturn, client: Client): Promise<EndedSignIn> => {
    const kept = openTransaction(id, back, client);
    try {
      return await finish(kept, back.query, client);
    } catch (error) {
      const { code, message, extra } = toRefusal(error, kept, client);
      const redirectTo = withParameters(kept.returnTo, { error: code, error_description: message }, extra);
      return { redirectTo, session: null };
    }
  };

  /**
   * Trades the code of a sign-in for a session.
   * @throws AppError `TOKEN_INVALID`, `ACCOUNT_DISABLED`, `EMAIL_NOT_VERIFIED`, `MFA_REQUIRED`
   */
  const exchangeCode = async (code: string, codeVerifier: string, client: Client): Promise<Session> => {
    const { ownerId, provider, stamp } = await loginCodes.spendCode(code, codeVerifier);
    const user = await stores.users.findUser(ownerId);
    // Deleted within the minute, or its password is another one.
    if (!user || stampOf(user) !== stamp) throw new AppError('TOKEN_INVALID');
    return logIn(user, provider, client);
  };

  return {
    /** What a login page offers. */
    listProviders: (): readonly Pick<Provider, 'id' | 'label'>[] =>
      [...providers.values()].map(({ id, label }) => ({ id, label })),
    beginSignIn,
    endSignIn,
    exchangeCode,
    listIdentities: identities.listIdentities,
    linkIdentity: identities.linkIdentity,
    removeIdentity: identities.removeIdentity,
  };
};
