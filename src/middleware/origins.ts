import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/index.ts';

/** What the decisions below need of a request: Express's, a handshake's or an upgrade's. */
export type OriginRequest = Pick<IncomingMessage, 'headers' | 'socket'>;

export interface Origins {
  /** Whether a page of this origin may use the server's cookies and read its answers. */
  isAllowedOrigin(origin: string | undefined, req: OriginRequest): boolean;
  /**
   * Whether no foreign page made a browser send this: `Origin` decides where there is one, else `Sec-Fetch-Site`, which
   * pages cannot set (a browser leaves `Origin` out of its own GETs). Null when the request tells neither.
   */
  isOwnRequest(req: OriginRequest): boolean | null;
  /**
   * Whether cookies are for https alone: the client speaks it, to us or to the proxies that we trust, or `PUBLIC_URL` says
   * that users do, although nobody told us of the proxy.
   */
  isSecure(req: OriginRequest): boolean;
}

/**
 * An origin as browsers spell it (RFC 6454 §6.2): lower-case, without the default port. Null for what is none; schemes
 * that the URL standard does not know, such as `capacitor:`, have no other spelling.
 */
const canonical = (origin: string): string | null => {
  if (!/^https?:/i.test(origin)) return origin.toLowerCase();
  return URL.canParse(origin) ? new URL(origin).origin : null;
};

const firstOf = (header: string | string[] | undefined): string | undefined =>
  (Array.isArray(header) ? header[0] : header)?.split(',', 1)[0]?.trim();

/** `none`: the person began it, from the address bar or a bookmark. */
const OWN_SITES = new Set(['same-origin', 'none']);

/**
 * The one judgement about origins, for CORS, CSRF, the Socket.IO handshake and the WebSocket upgrade.
 * Allowed are the configured ones and the server's own, which is scheme and host of the request; behind a proxy
 * (`TRUST_PROXY` ≥ 1) those that it forwards. An origin is compared whole and exactly as a browser spells it, so `null`,
 * prefixes, suffixes, other ports, capitals and user names match nothing.
 */
export const createOrigins = (
  config: Pick<Config['server'], 'corsOrigins' | 'trustProxyHops' | 'publicUrl'>,
): Origins => {
  const listed = new Set(config.corsOrigins.map(canonical));
  const isBehindProxy = config.trustProxyHops > 0;
  const isPublicSecure = config.publicUrl !== null && new URL(config.publicUrl).protocol === 'https:';
  const forwarded = (req: OriginRequest, name: string): string | undefined =>
    isBehindProxy ? firstOf(req.headers[name]) : undefined;

  const schemeOf = (req: OriginRequest): string => {
    const isEncrypted = 'encrypted' in req.socket && req.socket.encrypted === true;
    return forwarded(req, 'x-forwarded-proto') ?? (isEncrypted ? 'https' : 'http');
  };

  const ownOrigin = (req: OriginRequest): string | null => {
    const host = forwarded(req, 'x-forwarded-host') ?? req.headers.host;
    return host === undefined ? null : canonical(`${schemeOf(req) === 'https' ? 'https' : 'http'}://${host}`);
  };

  const isAllowedOrigin = (origin: string | undefined, req: OriginRequest): boolean =>
    origin !== undefined && origin !== 'null' && (listed.has(origin) || origin === ownOrigin(req));

  return {
    isAllowedOrigin,
    isOwnRequest: (req) => {
      const { origin, 'sec-fetch-site': site } = req.headers;
      if (origin !== undefined) return isAllowedOrigin(origin, req);
      return site === undefined ? null : OWN_SITES.has(firstOf(site) ?? '');
    },
    isSecure: (req) => isPublicSecure || schemeOf(req) === 'https',
  };
};
