import type { Request } from 'express';
import { toUserView, type SessionView } from '../schemas/auth.schemas.ts';
import type { Client, Session } from '../services/auth/index.ts';

/** From where a request came. */
export const clientOf = (req: Request): Client => ({ ip: req.ip ?? '', device: req.get('User-Agent') ?? '' });

/** A session for a browser, whose tokens are in its cookies (ASVS 5.0 §3.3.4). */
export const toCookieSession = (session: Session): SessionView => ({
  user: toUserView(session.user),
  accessToken: session.accessToken,
  tokenType: 'Bearer',
  expiresIn: session.expiresInSeconds,
});

/** A session for a client that keeps its tokens itself. */
export const toTokenSession = (session: Session): SessionView => ({
  ...toCookieSession(session),
  refreshToken: session.refreshToken,
  ...(session.deviceToken === undefined ? {} : { deviceToken: session.deviceToken }),
});
