import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  ResponseBodyError,
  None,
  type ClientAuth,
  type Configuration,
} from 'openid-client';
import type { OidcProviderConfig } from '../../../config/index.ts';
import type { Clock } from '../../../lib/clock.ts';
import { AppError } from '../../../lib/errors.ts';
import type { Logger } from '../../../lib/logger.ts';
import { toProfile, type Claims, type Profile } from './profile.ts';
import { createProviderFetch, isUnreachable } from './providerFetch.ts';

/** What is kept of a sign-in while its user is at the provider. */
export interface SignInChecks {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE (RFC 7636): what the `code_challenge` was made of. */
  readonly verifier: string;
}

/** Somebody came back from a provider without having shown who they are. */
export class SignInError extends Error {
  /** In a word, for the audit log: nothing personal, nothing that the provider made up. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.name = 'SignInError';
    this.reason = reason;
  }
}

export interface Provider {
  readonly id: string;
  readonly label: string;
  /** Where the user is to be sent. @throws AppError `PROVIDER_UNAVAILABLE` */
  authorizationUrl(checks: SignInChecks, challenge: string): Promise<string>;
  /**
   * Who came back. @param query what the provider added to the redirection's address
   * @throws SignInError, AppError `PROVIDER_UNAVAILABLE`
   */
  readProfile(query: string, checks: SignInChecks): Promise<Profile>;
}

export interface ProviderOptions {
  /** Whether a provider on this machine may be asked without TLS: never in production. */
  readonly allowsLoopback: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

const METADATA_TTL_MS = 3_600_000;
/** How long old metadata serve on when the new ones could not be had. */
const STALE_MS = 60_000;
const RETRY_AFTER_MS = 5_000;
const MAX_SUBJECT_CHARS = 255;
/** Errors that the standards know (RFC 6749 §4.1.2.1, §5.2, OpenID Connect Core §3.1.2.6); others are not repeated. */
const KNOWN_ERRORS: ReadonlySet<string> = new Set([
  'access_denied',
  'invalid_request',
  'unauthorized_client',
  'unsupported_response_type',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
  'interaction_required',
  'login_required',
  'account_selection_required',
  'consent_required',
  'invalid_client',
  'invalid_grant',
]);

/** By the header, which every provider must know, unless its metadata say otherwise (RFC 8414 §2). */
const authenticateClient = (secret: string | null): ClientAuth => {
  if (secret === null) return None();
  const [basic, post] = [ClientSecretBasic(secret), ClientSecretPost(secret)];
  return (...request) => {
    const [server] = request;
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const authenticate = methods.includes('client_secret_basic') ? basic : post;
    authenticate(...request);
  };
};

const MAX_CAUSES = 4;

/** What happened and why, for the log. Not what could not be parsed: its error quotes the answer, and with it a token. */
export const describeFailure = (error: unknown, depth = 0): string => {
  if (!Error.isError(error)) return 'unknown';
  const { message, cause } = error;
  if (!Error.isError(cause) || cause.name === 'SyntaxError' || depth >= MAX_CAUSES) return message;
  const why = describeFailure(cause, depth + 1);
  return why.startsWith(message) ? why : `${message}: ${why}`;
};

const codeOf = (error: unknown): string =>
  Error.isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : 'refused';

const unavailable = (cause: unknown): AppError =>
  new AppError('PROVIDER_UNAVAILABLE', { cause, retryAfterMs: RETRY_AFTER_MS });

/** What went wrong between us and a provider. Causes hold claims and tokens, so that they go no further. */
const toError = (error: unknown): Error => {
  if (isUnreachable(error)) return unavailable(error);
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError) {
    const reason = KNOWN_ERRORS.has(error.error) ? error.error : 'error';
    return new SignInError(reason, `the provider says ${reason}`);
  }
  return new SignInError(codeOf(error), describeFailure(error));
};

/**
 * One OpenID Connect provider. Its metadata are fetched when somebody wants to sign in, and kept for an hour: a provider that is
 * down keeps no node from starting. ID tokens are checked whole: signature by the provider's published keys (no `none`, no
 * HMAC), `iss`, `aud`, `azp`, `exp`, `iat`, `nonce` (OpenID Connect Core §3.1.3.7).
 */
export const createProvider = (config: OidcProviderConfig, { allowsLoopback, clock, logger }: ProviderOptions) => {
  const isPlain = allowsLoopback && config.issuer.startsWith('http:');
  let known: { readonly client: Configuration; readonly until: number } | null = null;
  let asking: Promise<Configuration> | null = null;

  const discover = async (): Promise<Configuration> => {
    const client = await discovery(
      new URL(config.issuer),
      config.clientId,
      undefined,
      authenticateClient(config.clientSecret),
      {
        [customFetch]: createProviderFetch(isPlain),
        // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so to be noticed: for issuers on this machine alone
        execute: [enableNonRepudiationChecks, ...(isPlain ? [allowInsecureRequests] : [])],
      },
    );
    known = { client, until: clock.now() + METADATA_TTL_MS };
    return client;
  };

  const getClient = async (): Promise<Configuration> => {
    if (known && known.until > clock.now()) return known.client;
    try {
      return await (asking ??= discover().finally(() => {
        asking = null;
      }));
    } catch (error) {
      logger.warn('a provider’s metadata could not be had', { provider: config.id, why: describeFailure(error) });
      if (!known) throw unavailable(error);
      known = { ...known, until: clock.now() + STALE_MS };
      return known.client;
    }
  };

  /** Asked only when the ID token lacks what an account is found or made by. */
  const readUserinfo = async (client: Configuration, token: string, idToken: Claims): Promise<Claims> => {
    const isAsked = idToken.email === undefined && client.serverMetadata().userinfo_endpoint !== undefined;
    return isAsked ? fetchUserInfo(client, token, String(idToken.sub)) : {};
  };

  const exchange = async (query: string, checks: SignInChecks): Promise<Profile> => {
    const client = await getClient();
    const address = new URL(checks.redirectUri);
    address.search = query;
    const tokens = await authorizationCodeGrant(client, address, {
      pkceCodeVerifier: checks.verifier,
      expectedState: checks.state,
      expectedNonce: checks.nonce,
      idTokenExpected: true,
    });
    const idToken: Claims = { ...tokens.claims() };
    const subject = String(idToken.sub);
    if (subject === '' || subject.length > MAX_SUBJECT_CHARS) throw new Error('the subject is empty or too long');
    const userinfo = await readUserinfo(client, tokens.access_token, idToken);
    return toProfile({
      issuer: client.serverMetadata().issuer,
      subject,
      idToken,
      userinfo,
      trustsEmail: config.trustsEmail,
    });
  };

  const provider: Provider = {
    id: config.id,
    label: config.label,
    authorizationUrl: async ({ redirectUri, state, nonce }, challenge) => {
      const client = await getClient();
      const parameters = {
        redirect_uri: redirectUri,
        scope: config.scopes.join(' '),
        state,
        nonce,
        code_challenge: challenge,
        code_challenge_method: 'S256',
      };
      try {
        return buildAuthorizationUrl(client, parameters).href;
      } catch (error) {
        // Metadata without the address, or with one that is not https.
        throw unavailable(error);
      }
    },
    readProfile: (query, checks) =>
      exchange(query, checks).catch((error: unknown) => {
        throw error instanceof AppError ? error : toError(error);
      }),
  };
  return provider;
};
