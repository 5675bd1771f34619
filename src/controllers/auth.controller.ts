import type { Request, Response } from 'express';
import type { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { actorOf } from '../middleware/request.ts';
import {
  toUserView,
  type deleteMeSchema,
  type LoginInput,
  type logoutQuerySchema,
  type refreshSchema,
  type SessionView,
  type Signup,
  type UpdateMe,
} from '../schemas/auth.schemas.ts';
import { OAuthError, parseTokenForm, type TokenForm, type TokenResponse } from '../schemas/oauth.schemas.ts';
import type { AuthService, Client, Session } from '../services/auth/index.ts';

const clientOf = (req: Request): Client => ({ ip: req.ip ?? '', device: req.get('User-Agent') ?? '' });

const toSessionView = (session: Session): SessionView => ({
  user: toUserView(session.user),
  accessToken: session.accessToken,
  tokenType: 'Bearer',
  expiresIn: session.expiresInSeconds,
});

const toTokenResponse = (session: Session): TokenResponse => ({
  access_token: session.accessToken,
  token_type: 'Bearer',
  expires_in: session.expiresInSeconds,
  refresh_token: session.refreshToken,
  scope: 'chat read',
});

export interface AuthControllerOptions {
  readonly auth: AuthService;
  readonly cookies: {
    set(res: Response, session: Session): void;
    clear(res: Response): void;
    /** The refresh token that a browser sent along. */
    refreshToken(req: Request): string | undefined;
  };
  /** Whether `grant_type=password` is answered. */
  readonly allowPasswordGrant: boolean;
}

/** The accounts over REST. */
export const createAuthController = ({ auth, cookies, allowPasswordGrant }: AuthControllerOptions) => {
  /** Answers with a session: tokens for a browser go into cookies, for other clients into the body (ASVS 5.0 §3.3.4). */
  const sendSession = (res: Response, session: Session, mode: 'cookie' | 'token'): void => {
    const view = toSessionView(session);
    if (mode === 'cookie') cookies.set(res, session);
    res.json(mode === 'cookie' ? view : { ...view, refreshToken: session.refreshToken });
  };

  const grant = (form: TokenForm, client: Client): Promise<Session> => {
    if (form.grant_type === 'refresh_token') return auth.refresh(form.refresh_token);
    if (allowPasswordGrant) return auth.login(form, client);
    throw new OAuthError('unsupported_grant_type', 'grant_type must be refresh_token');
  };

  return {
    signup: async ({ session, ...account }: Signup, req: Request, res: Response) => {
      const started = await auth.signup(account, clientOf(req));
      sendSession(res.status(201), started, session);
    },
    login: async ({ session, ...credentials }: LoginInput, req: Request, res: Response) => {
      sendSession(res, await auth.login(credentials, clientOf(req)), session);
    },
    token: async (req: Request, res: Response) => {
      const session = await grant(parseTokenForm(req.body), clientOf(req));
      res.setHeader('Pragma', 'no-cache');
      res.json(toTokenResponse(session));
    },
    refresh: async ({ refreshToken }: z.output<typeof refreshSchema>, req: Request, res: Response) => {
      const token = refreshToken ?? cookies.refreshToken(req);
      if (token === undefined) throw new AppError('UNAUTHENTICATED');
      sendSession(res, await auth.refresh(token), refreshToken === undefined ? 'cookie' : 'token');
    },
    logout: async ({ all = false }: z.output<typeof logoutQuerySchema>, req: Request, res: Response) => {
      // Whatever comes of it, this browser is done with its tokens.
      cookies.clear(res);
      const token = cookies.refreshToken(req);
      if (req.actor || token === undefined) await auth.logout(actorOf(req), all);
      else await auth.logoutByRefreshToken(token, all);
      res.status(204).end();
    },
    me: async (req: Request, res: Response) => {
      res.json({ user: toUserView(await auth.getMe(actorOf(req))) });
    },
    updateMe: async (changes: UpdateMe, req: Request, res: Response) => {
      res.json({ user: toUserView(await auth.updateMe(actorOf(req), changes)) });
    },
    deleteMe: async ({ password }: z.output<typeof deleteMeSchema>, req: Request, res: Response) => {
      await auth.deleteMe(actorOf(req), password);
      cookies.clear(res);
      res.status(204).end();
    },
    createTicket: async (req: Request, res: Response) => {
      const { ticket, expiresInSeconds } = await auth.createTicket(actorOf(req));
      res.json({ ticket, expiresIn: expiresInSeconds });
    },
  };
};

export type AuthController = ReturnType<typeof createAuthController>;
