import { createHash, randomBytes } from 'node:crypto';
import { call, startWorld, type Answer, type World, type WorldOptions } from '../world.ts';
import { createBrowser, type Browser } from './browser.ts';
import { FAKE_CLIENT } from './fakeIssuer.ts';
import { CLIENT_ID, CLIENT_SECRET } from './realIssuer.ts';

/** What the node is told it is known as: nothing may be made of the `Host` that requests come with. */
export const PUBLIC_URL = 'http://parley.test';
/** A frontend on another site. */
export const APP = 'http://app.test';
export const APP_SCHEME = 'com.example.parley';

export interface Issuers {
  readonly real?: { readonly url: string };
  readonly fake?: { readonly url: string };
}

/** The environment of a node with the providers `corp` (the real issuer) and `fake`. */
export const providersEnv = ({ real, fake }: Issuers): Record<string, string> => ({
  PUBLIC_URL,
  CORS_ORIGINS: APP,
  OIDC_APP_SCHEMES: APP_SCHEME,
  OIDC_PROVIDERS: [...(real ? ['corp'] : []), ...(fake ? ['fake'] : [])].join(','),
  ...(real && {
    OIDC_CORP_ISSUER: real.url,
    OIDC_CORP_CLIENT_ID: CLIENT_ID,
    OIDC_CORP_CLIENT_SECRET: CLIENT_SECRET,
    OIDC_CORP_LABEL: 'The Corporation',
  }),
  ...(fake && {
    OIDC_FAKE_ISSUER: fake.url,
    OIDC_FAKE_CLIENT_ID: FAKE_CLIENT.id,
    OIDC_FAKE_CLIENT_SECRET: FAKE_CLIENT.secret,
  }),
});

/** What an app keeps while its user signs in. */
export const newVerifier = (): { verifier: string; challenge: string } => {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
};

export interface OidcWorld extends World {
  newBrowser(headers?: Readonly<Record<string, string>>): Browser;
  /** Asks the API as a browser would that has come back with cookies. */
  askAs(browser: Browser, method: string, path: string): Promise<Answer>;
  exchange(code: string, codeVerifier: string): Promise<Answer>;
}

export const startOidcWorld = async (issuers: Issuers, options: WorldOptions = {}): Promise<OidcWorld> => {
  const world = await startWorld({ ...options, env: { ...providersEnv(issuers), ...options.env } });
  const publicUrl = options.env?.PUBLIC_URL ?? PUBLIC_URL;
  return {
    ...world,
    newBrowser: (headers) => createBrowser({ [publicUrl]: world.url }, headers),
    askAs: (browser, method, path) =>
      call(`${world.url}${path}`, { method, headers: { Cookie: browser.cookiesFor(`${publicUrl}${path}`) } }),
    exchange: (code, codeVerifier) =>
      call(`${world.url}/api/auth/oidc/token`, { method: 'POST', json: { code, codeVerifier } }),
  };
};
