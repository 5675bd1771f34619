import { parseCookie, stringifySetCookie } from 'cookie';
import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import type { Origins } from './origins.ts';

interface CookieSpec {
  readonly secureName: string;
  readonly plainName: string;
  readonly path: string;
}

/** `__Host-` binds the cookie to this host alone; it wants `Path=/`, so the refresh cookie has to do with `__Secure-`. */
const ACCESS: CookieSpec = { secureName: '__Host-parley_at', plainName: 'parley_at', path: '/' };
const REFRESH: CookieSpec = { secureName: '__Secure-parley_rt', plainName: 'parley_rt', path: '/api/auth' };
const DEVICE: CookieSpec = { secureName: '__Secure-parley_dt', plainName: 'parley_dt', path: '/api/auth' };
/** What a sign-in at another service began with; the way back is a navigation from another site, which `Lax` lets through. */
const SIGN_IN: CookieSpec = { secureName: '__Host-parley_oidc', plainName: 'parley_oidc', path: '/' };
/** As long as the server knows the device (services/auth/devices.ts). */
const DEVICE_MS = 180 * 86_400_000;

export interface CookieTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly refreshExpiresAt: Date;
  readonly deviceToken?: string;
}

/** The tokens of a browser's requests, for who answers them. */
export interface SessionCookies {
  /**
   * Gives a browser its tokens. Both cookies stay as long as the refresh token is good: a browser that still sends a spent
   * access token is answered `TOKEN_EXPIRED`, and knows that it has to refresh.
   */
  set(res: Response, tokens: CookieTokens): void;
  /** Makes a browser forget its tokens; that it is a known device it keeps. */
  clear(res: Response): void;
  refreshToken(req: Request): string | undefined;
  deviceToken(req: Request): string | undefined;
}

/** Over https only the prefixed name counts: any neighbour in the domain can set the plain one. */
const nameOf = (spec: CookieSpec, isSecure: boolean): string => (isSecure ? spec.secureName : spec.plainName);

interface Content {
  readonly value: string;
  readonly expires: Date;
}

/** The tokens that a browser sent along. `isSecure`: whether its cookies are for https alone. */
export const readSessionCookies = (
  req: Pick<IncomingMessage, 'headers'>,
  isSecure: boolean,
): { accessToken: string | undefined; refreshToken: string | undefined } => {
  const cookies = parseCookie(req.headers.cookie ?? '');
  return {
    accessToken: cookies[nameOf(ACCESS, isSecure)] || undefined,
    refreshToken: cookies[nameOf(REFRESH, isSecure)] || undefined,
  };
};

/** What a browser keeps while its user is at another service to sign in. */
export interface SignInCookie {
  set(res: Response, value: string, maxAgeMs: number): void;
  clear(res: Response): void;
  read(req: Request): string | undefined;
}

/** Writes and reads cookies under the names that the request's scheme, or `PUBLIC_URL`'s, allows. */
const createJar = ({ isSecure }: Pick<Origins, 'isSecure'>) => ({
  append: (res: Response, spec: CookieSpec, content: Content): void => {
    const secure = isSecure(res.req);
    const cookie = { ...content, name: nameOf(spec, secure), path: spec.path, httpOnly: true, secure };
    res.append('Set-Cookie', stringifySetCookie({ ...cookie, sameSite: 'lax' }));
  },
  read: (req: Request, spec: CookieSpec): string | undefined =>
    parseCookie(req.headers.cookie ?? '')[nameOf(spec, isSecure(req))] || undefined,
});

export const createSessionCookies = (origins: Pick<Origins, 'isSecure'>): SessionCookies => {
  const { append, read } = createJar(origins);
  return {
    set: (res, { accessToken, refreshToken, refreshExpiresAt, deviceToken }) => {
      append(res, ACCESS, { value: accessToken, expires: refreshExpiresAt });
      append(res, REFRESH, { value: refreshToken, expires: refreshExpiresAt });
      if (deviceToken === undefined) return;
      append(res, DEVICE, { value: deviceToken, expires: new Date(Date.now() + DEVICE_MS) });
    },
    clear: (res) => {
      for (const spec of [ACCESS, REFRESH]) append(res, spec, { value: '', expires: new Date(0) });
    },
    refreshToken: (req) => read(req, REFRESH),
    deviceToken: (req) => read(req, DEVICE),
  };
};

export const createSignInCookie = (origins: Pick<Origins, 'isSecure'>): SignInCookie => {
  const { append, read } = createJar(origins);
  return {
    set: (res, value, maxAgeMs) => append(res, SIGN_IN, { value, expires: new Date(Date.now() + maxAgeMs) }),
    clear: (res) => append(res, SIGN_IN, { value: '', expires: new Date(0) }),
    read: (req) => read(req, SIGN_IN),
  };
};
