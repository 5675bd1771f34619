import { OIDC_PROVIDER_VARIABLES, type ProviderVariableName } from './env.schema.ts';
import { readVariable, type Source } from './read.ts';
import type { ValueOfVariable } from './values.ts';

/** One OpenID Connect provider that users may sign in with. */
export interface OidcProviderConfig {
  /** As it stands in addresses: `/api/auth/oidc/<id>`. */
  readonly id: string;
  /** What a login page writes on its button. */
  readonly label: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client, which PKCE alone protects. */
  readonly clientSecret: string | null;
  readonly scopes: readonly string[];
  /** Whether its `email_verified` is believed. */
  readonly trustsEmail: boolean;
}

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Whether an address is https, or plain http that does not leave this machine. */
const isSafe = (address: string, allowsLoopback: boolean): boolean => {
  const { protocol, hostname } = new URL(address);
  return protocol === 'https:' || (allowsLoopback && LOOPBACK.has(hostname));
};

/** `my-idp` → `OIDC_MY_IDP_ISSUER` */
const nameOf = (id: string, variable: ProviderVariableName): string =>
  variable.replace('<NAME>', id.toUpperCase().replaceAll('-', '_'));

const readProvider = (id: string, source: Source): OidcProviderConfig => {
  const read = <K extends ProviderVariableName>(name: K): ValueOfVariable<(typeof OIDC_PROVIDER_VARIABLES)[K]> =>
    readVariable(nameOf(id, name), OIDC_PROVIDER_VARIABLES[name], source);
  const needed = (name: 'OIDC_<NAME>_ISSUER' | 'OIDC_<NAME>_CLIENT_ID'): string => {
    const before = source.problems.length;
    const value = read(name);
    // Unless something else was said about it.
    if (value === undefined && source.problems.length === before) {
      source.problems.push(`${nameOf(id, name)} must be set: OIDC_PROVIDERS names ${id}`);
    }
    return value ?? '';
  };
  return {
    id,
    label: read('OIDC_<NAME>_LABEL') ?? id,
    issuer: needed('OIDC_<NAME>_ISSUER'),
    clientId: needed('OIDC_<NAME>_CLIENT_ID'),
    clientSecret: read('OIDC_<NAME>_CLIENT_SECRET') ?? null,
    scopes: read('OIDC_<NAME>_SCOPES'),
    trustsEmail: read('OIDC_<NAME>_TRUST_EMAIL'),
  };
};

/** The providers that `OIDC_PROVIDERS` names; what is wrong with their variables goes to the list of problems. */
export const readProviders = (ids: readonly string[], source: Source): readonly OidcProviderConfig[] =>
  ids.map((id) => readProvider(id, source));

interface Place {
  readonly providers: readonly OidcProviderConfig[];
  readonly publicUrl: string | null;
  readonly isProduction: boolean;
}

/** What would let tokens travel in the clear, or send users to nowhere. */
export const oidcProblems = ({ providers, publicUrl, isProduction }: Place): string[] => {
  const open = providers.filter(({ issuer }) => issuer !== '' && !isSafe(issuer, !isProduction));
  const isInUse = isProduction && providers.length > 0;
  return [
    ...open.map(({ id }) => `${nameOf(id, 'OIDC_<NAME>_ISSUER')} must begin with https://`),
    ...(isInUse && publicUrl === null ? ['OIDC_PROVIDERS needs PUBLIC_URL: providers send users back to it'] : []),
    ...(isInUse && publicUrl !== null && !isSafe(publicUrl, true)
      ? ['OIDC_PROVIDERS needs a PUBLIC_URL that begins with https://']
      : []),
  ];
};
