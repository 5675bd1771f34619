import type { Request, RequestHandler } from 'express';
import { requestContext } from '../lib/requestContext.ts';
import type { AuthService } from '../services/auth/index.ts';
import { readCredentials } from './credentials.ts';
import type { Origins } from './origins.ts';

/** A ticket counts only where a browser cannot set a header: on the address of an event stream. */
const ticketOf = (req: Request): string | null => {
  if (req.method !== 'GET' || !req.path.endsWith('/stream')) return null;
  const { ticket } = req.query;
  return typeof ticket === 'string' ? ticket : null;
};

/**
 * Finds out who makes a request: sets `req.actor`, or `req.credentialError` when what came is no good. It refuses nobody:
 * that is for the routes that need to know (`requireActor`).
 */
export const createIdentify =
  (auth: Pick<AuthService, 'authenticate'>, origins: Pick<Origins, 'isSecure'>): RequestHandler =>
  async (req, _res, next) => {
    const credentials = readCredentials(req, { isSecure: origins.isSecure(req), ticket: ticketOf(req) });
    try {
      if (credentials) req.actor = await auth.authenticate(credentials);
      if (req.actor) requestContext.set({ userId: req.actor.userId });
    } catch (error) {
      req.credentialError = Error.isError(error)
        ? error
        : new Error('the credentials could not be checked', { cause: error });
    }
    next();
  };
