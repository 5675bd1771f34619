import type { Config } from '../../../config/index.ts';
import { AppError } from '../../../lib/errors.ts';

/** Where a sign-in leads back to. */
export interface ReturnAddress {
  readonly href: string;
  /** An app's own scheme: no browser's cookies get there. */
  readonly isApp: boolean;
}

/** As it is written out: with more, what a browser keeps of a sign-in would be no cookie (RFC 6265 §6.1: 4096 bytes). */
const MAX_CHARS = 2000;

const refused = (message: string): AppError =>
  new AppError('VALIDATION_FAILED', { errors: [{ path: 'returnTo', message }] });

/** As browsers spell it in `Origin`; schemes that the URL standard does not know have no origin of their own there. */
const originOf = ({ protocol, host }: URL): string => `${protocol}//${host}`;

/**
 * Checks where users want to be sent back to: no address but the server's own, an allowed origin (`CORS_ORIGINS`) or an app's
 * scheme (`OIDC_APP_SCHEMES`), so that nobody is led elsewhere with a login in the address (RFC 9700 §4.11).
 */
export const createReturnTo = ({ server, oidc }: Pick<Config, 'server' | 'oidc'>) => {
  const base = `${oidc.baseUrl}/`;
  const origins = new Set([originOf(new URL(base)), ...server.corsOrigins.map((origin) => origin.toLowerCase())]);
  const schemes = new Set(oidc.appSchemes.map((scheme) => `${scheme}:`));

  /** @throws AppError `VALIDATION_FAILED` */
  return (returnTo: string | undefined): ReturnAddress => {
    if (returnTo === undefined) return { href: base, isApp: false };
    if (!URL.canParse(returnTo, base)) throw refused('must be an address, or a path that begins with /');
    const url = new URL(returnTo, base);
    // The fragment is where a second factor is asked for (RFC 6749 §3.1.2: a redirection has none).
    if (returnTo.includes('#')) throw refused('must have no fragment');
    if (url.href.length > MAX_CHARS) throw refused(`must have at most ${String(MAX_CHARS)} characters`);
    if (url.username !== '' || url.password !== '') throw refused('must have no user name');
    const isApp = schemes.has(url.protocol);
    if (!isApp && !origins.has(originOf(url))) throw refused('must be of this server, an allowed origin or app');
    return { href: url.href, isApp };
  };
};

/** An address with more in its query, and something behind `#`. */
export const withParameters = (
  address: string,
  query: Readonly<Record<string, string>>,
  fragment: Readonly<Record<string, string>> = {},
): string => {
  const url = new URL(address);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  url.hash = new URLSearchParams(fragment).toString();
  return url.href;
};
