import type { Request, Response } from 'express';
import type { z } from 'zod';
import { AppError } from '../lib/errors.ts';
import { actorOf } from '../middleware/request.ts';
import { VERIFICATION_SENT } from '../schemas/accountMail.schemas.ts';
import {
  toUserView,
  type deleteMeSchema,
  type LoginInput,
  type logoutQuerySchema,
  type refreshSchema,
  type Signup,
  type UpdateMe,
} from '../schemas/auth.schemas.ts';
import { pageView } from '../schemas/common.ts';
import { proofOf, type FinishLogin } from '../schemas/mfa.schemas.ts';
import { toLoginView, toSignInView, type pageSchema } from '../schemas/logins.schemas.ts';
import { OAuthError, parseTokenForm, type TokenForm, type TokenResponse } from '../schemas/oauth.schemas.ts';
import type { AuthService, Client, Session } from '../services/auth/index.ts';
import { clientOf, toCookieSession, toTokenSession } from './sessionAnswer.ts';

const toTokenResponse = (session: Session): TokenResponse => ({
  access_token: session.accessToken,
  token_type: 'Bearer',
  expires_in: session.expiresInSeconds,
  refresh_token: session.refreshToken,
  scope: 'chat read',
  ...(session.deviceToken === undefined ? {} : { device_token: session.deviceToken }),
});

export interface AuthControllerOptions {
  readonly auth: AuthService;
  readonly cookies: {
    set(res: Response, session: Session): void;
    clear(res: Response): void;
    /** The refresh token that a browser sent along. */
    refreshToken(req: Request): string | undefined;
    /** By which it is known as a device of its user. */
    deviceToken(req: Request): string | undefined;
  };
  /** Whether `grant_type=password` is answered. */
  readonly allowPasswordGrant: boolean;
}

/** The accounts over REST. */
export const createAuthController = ({ auth, cookies, allowPasswordGrant }: AuthControllerOptions) => {
  /** Answers with a session: tokens for a browser go into cookies, for other clients into the body (ASVS 5.0 §3.3.4). */
  const sendSession = (res: Response, session: Session, mode: 'cookie' | 'token'): void => {
    if (mode === 'cookie') cookies.set(res, session);
    res.json(mode === 'cookie' ? toCookieSession(session) : toTokenSession(session));
  };

  const grant = (form: TokenForm, client: Client): Promise<Session> => {
    if (form.grant_type === 'refresh_token') return auth.refresh(form.refresh_token);
    if (allowPasswordGrant) return auth.login(form, { ...client, deviceToken: form.device_token });
    throw new OAuthError('unsupported_grant_type', 'grant_type must be refresh_token');
  };

  return {
    signup: async ({ session, ...account }: Signup, req: Request, res: Response) => {
      const started = await auth.signup(account, clientOf(req));
      if (started) sendSession(res.status(201), started, session);
      else res.status(202).json(VERIFICATION_SENT);
    },
    login: async ({ session, deviceToken, ...credentials }: LoginInput, req: Request, res: Response) => {
      const client = { ...clientOf(req), deviceToken: deviceToken ?? cookies.deviceToken(req) };
      sendSession(res, await auth.login(credentials, client), session);
    },
    finishLogin: async ({ mfaToken, session, deviceToken, ...proof }: FinishLogin, req: Request, res: Response) => {
      const client = { ...clientOf(req), deviceToken: deviceToken ?? cookies.deviceToken(req) };
      sendSession(res, await auth.finishLogin({ mfaToken, proof: proofOf(proof) }, client), session);
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
    listLogins: async (query: z.output<typeof pageSchema>, req: Request, res: Response) => {
      const actor = actorOf(req);
      const page = await auth.listLogins(actor, query);
      res.json(pageView(page, (login) => toLoginView(login, actor.loginId)));
    },
    revokeLogin: async (req: Request, res: Response) => {
      const actor = actorOf(req);
      const id = String(req.params.id);
      await auth.revokeLogin(actor, id);
      if (id === actor.loginId) cookies.clear(res);
      res.status(204).end();
    },
    listHistory: async (query: z.output<typeof pageSchema>, req: Request, res: Response) => {
      res.json(pageView(await auth.listHistory(actorOf(req), query), toSignInView));
    },
    createTicket: async (req: Request, res: Response) => {
      const { ticket, expiresInSeconds } = await auth.createTicket(actorOf(req));
      res.json({ ticket, expiresIn: expiresInSeconds });
    },
  };
};

export type AuthController = ReturnType<typeof createAuthController>;
