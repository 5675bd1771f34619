import type { RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * Headers of every answer. The API is nothing to render, frame or cache; a page that is (the documentation) sets its own
 * `Content-Security-Policy` and `Cache-Control` over these. HSTS for a year with subdomains: ASVS 5.0 §3.4.1.
 */
export const createSecurityHeaders = (): RequestHandler => {
  const protect = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"], frameAncestors: ["'none'"] },
    },
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
    xFrameOptions: { action: 'deny' },
  });
  return (req, res, next) => {
    res.setHeader('Cache-Control', 'no-store');
    protect(req, res, next);
  };
};
