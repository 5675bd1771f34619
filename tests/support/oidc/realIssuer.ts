import { generateKeyPairSync } from 'node:crypto';
import { listenOnLoopback, type Listener } from './listen.ts';

export const CLIENT_ID = 'parley';
export const CLIENT_SECRET = 'canary-of-the-oidc-client-secret';

/** What the issuer says of somebody, besides `sub`. */
export type Person = Readonly<Record<string, unknown>>;

/** `oidc-provider`, a certified OpenID provider, on loopback: people log in by their name and any password, and consent. */
export interface RealIssuer extends Listener {
  /** By what they log in with, which is their `sub`, too. */
  readonly people: Map<string, Person>;
}

/** It warns about everything that is not for production. */
const withoutWarnings = async <T>(work: () => Promise<T>): Promise<T> => {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return await work();
  } finally {
    console.warn = warn;
  }
};

const signingKey = (): object => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: 'of-the-test', use: 'sig', alg: 'RS256' };
};

export const startRealIssuer = async (redirectUris: readonly string[]): Promise<RealIssuer> => {
  const listener = await listenOnLoopback();
  const people = new Map<string, Person>();
  const make = async () => {
    const { default: Provider } = await import('oidc-provider');
    return new Provider(listener.url, {
      clients: [
        {
          client_id: CLIENT_ID,
          client_secret: CLIENT_SECRET,
          redirect_uris: redirectUris,
          grant_types: ['authorization_code'],
          response_types: ['code'],
        },
      ],
      jwks: { keys: [signingKey()] },
      cookies: { keys: ['cookies of the test'] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'preferred_username'] },
      pkce: { required: () => true },
      features: { devInteractions: { enabled: true } },
      ttl: { AccessToken: 60, AuthorizationCode: 60, Grant: 600, IdToken: 60, Interaction: 600, Session: 600 },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, ...people.get(id) }),
      }),
    });
  };
  listener.serve((await withoutWarnings(make)).callback());
  return { ...listener, people };
};
