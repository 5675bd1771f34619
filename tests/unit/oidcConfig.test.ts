import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';
import { problemsOf } from '../support/configProblems.ts';

const ISSUER = 'https://accounts.google.com';
const ONE = { OIDC_PROVIDERS: 'google', OIDC_GOOGLE_ISSUER: ISSUER, OIDC_GOOGLE_CLIENT_ID: 'id' };
const PRODUCTION = {
  NODE_ENV: 'production',
  JWT_SECRET: 'w3RfYp0Tz1uQe8sVb5nXk2mHj7cLd4gA9iKo',
  LLM_PROVIDER: 'simulator',
};

describe('loadConfig: OpenID Connect', () => {
  test('unset, there is no provider', () => {
    expect(loadConfig({}).oidc).toEqual({ providers: [], appSchemes: [], baseUrl: 'http://localhost:3000' });
  });

  test('two providers, configured, have what was set and the defaults for the rest', () => {
    const { oidc } = loadConfig({
      PUBLIC_URL: 'https://chat.example.com/',
      OIDC_APP_SCHEMES: 'com.example.chat',
      ...ONE,
      OIDC_PROVIDERS: 'google, my-idp',
      OIDC_MY_IDP_ISSUER: 'http://127.0.0.1:8080/realms/x/',
      OIDC_MY_IDP_CLIENT_ID: 'parley',
      OIDC_MY_IDP_CLIENT_SECRET: 's3cret',
      OIDC_MY_IDP_SCOPES: 'openid email groups',
      OIDC_MY_IDP_LABEL: 'The Corporation',
      OIDC_MY_IDP_TRUST_EMAIL: 'false',
    });
    expect(oidc).toEqual({
      providers: [
        {
          id: 'google',
          label: 'google',
          issuer: ISSUER,
          clientId: 'id',
          clientSecret: null,
          scopes: ['openid', 'email', 'profile'],
          trustsEmail: true,
        },
        {
          id: 'my-idp',
          label: 'The Corporation',
          issuer: 'http://127.0.0.1:8080/realms/x/',
          clientId: 'parley',
          clientSecret: 's3cret',
          scopes: ['openid', 'email', 'groups'],
          trustsEmail: false,
        },
      ],
      appSchemes: ['com.example.chat'],
      baseUrl: 'https://chat.example.com',
    });
  });

  test('the client’s secret can come from a file', () => {
    const directory = mkdtempSync(join(tmpdir(), 'parley-config-'));
    writeFileSync(join(directory, 'secret'), 'of-a-file\n');
    const { oidc } = loadConfig({ ...ONE, OIDC_GOOGLE_CLIENT_SECRET_FILE: join(directory, 'secret') });
    expect(oidc.providers[0]?.clientSecret).toBe('of-a-file');
    rmSync(directory, { recursive: true });
  });

  test.each<[Record<string, string>, string]>([
    [{ OIDC_PROVIDERS: 'Google' }, 'OIDC_PROVIDERS must be a list of names'],
    [{ OIDC_PROVIDERS: 'a/b' }, 'OIDC_PROVIDERS must be a list of names'],
    [{ OIDC_PROVIDERS: 'token' }, 'OIDC_PROVIDERS must be a list of names'],
    [{ ...ONE, OIDC_PROVIDERS: 'google,google' }, 'OIDC_PROVIDERS names a provider twice'],
    [{ OIDC_PROVIDERS: 'google' }, 'OIDC_GOOGLE_ISSUER must be set'],
    [{ OIDC_PROVIDERS: 'google', OIDC_GOOGLE_ISSUER: ISSUER }, 'OIDC_GOOGLE_CLIENT_ID must be set'],
    [{ ...ONE, OIDC_GOOGLE_ISSUER: 'accounts.google.com' }, 'OIDC_GOOGLE_ISSUER must be an http or https address'],
    [{ ...ONE, OIDC_GOOGLE_ISSUER: 'http://idp.example.com' }, 'OIDC_GOOGLE_ISSUER must begin with https://'],
    [{ ...ONE, OIDC_GOOGLE_ISSUER: 'http://localhost.example.com' }, 'OIDC_GOOGLE_ISSUER must begin with https://'],
    [{ ...ONE, OIDC_GOOGLE_SCOPES: 'email' }, 'OIDC_GOOGLE_SCOPES must have openid'],
    [{ ...ONE, OIDC_GOOGLE_TRUST_EMAIL: 'maybe' }, 'OIDC_GOOGLE_TRUST_EMAIL must be true or false'],
    [{ ...ONE, OIDC_GOOGLE_CLIENT_SECRET_FILE: '/nowhere' }, 'OIDC_GOOGLE_CLIENT_SECRET_FILE names a file'],
    [{ OIDC_APP_SCHEMES: 'javascript' }, 'OIDC_APP_SCHEMES must be a list of schemes in reverse domain order'],
    [{ ...PRODUCTION, ...ONE }, 'OIDC_PROVIDERS needs PUBLIC_URL'],
    [{ ...PRODUCTION, ...ONE, PUBLIC_URL: 'http://chat.example.com' }, 'that begins with https://'],
    [
      { ...PRODUCTION, ...ONE, PUBLIC_URL: 'https://chat.example.com', OIDC_GOOGLE_ISSUER: 'http://127.0.0.1:1' },
      'OIDC_GOOGLE_ISSUER must begin with https://',
    ],
  ])('%j is refused', (env, problem) => {
    expect(problemsOf(env).join('\n')).toContain(problem);
  });

  test('production, with https everywhere, starts; every problem is told at once', () => {
    expect(problemsOf({ ...PRODUCTION, ...ONE, PUBLIC_URL: 'https://chat.example.com' })).toEqual([]);
    expect(problemsOf({ OIDC_PROVIDERS: 'a,b' })).toHaveLength(4);
  });
});
