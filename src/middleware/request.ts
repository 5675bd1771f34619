import type { Request } from 'express';
import { AppError } from '../lib/errors.ts';
import type { Actor } from '../services/auth/actor.ts';

declare global {
  // eslint-disable-next-line @typescript-eslint/no-namespace -- the only way Express lets a request be extended
  namespace Express {
    interface Request {
      /** Set by `requestId`, before anything else. */
      id: string;
      /** Set by `identify` when the credentials are good. */
      actor?: Actor;
      /** Set by `identify` when there are credentials and they are not good: why. */
      credentialError?: Error;
    }
  }
}

/**
 * Who makes this request.
 * @throws AppError `UNAUTHENTICATED`, or what is wrong with the credentials that came
 */
export const actorOf = (req: Request): Actor => {
  if (req.actor) return req.actor;
  throw req.credentialError ?? new AppError('UNAUTHENTICATED');
};
