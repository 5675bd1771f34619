import type { Request, Response } from 'express';
import { actorOf } from '../middleware/request.ts';
import {
  toIdentityView,
  toProviderView,
  type BeginSignIn,
  type ExchangeCode,
  type LinkIdentity,
  type RemoveIdentity,
} from '../schemas/oidc.schemas.ts';
import type { AuthService, Session } from '../services/auth/index.ts';
import { clientOf, toTokenSession } from './sessionAnswer.ts';

export interface OidcControllerOptions {
  readonly oidc: AuthService['oidc'];
  readonly cookies: {
    set(res: Response, session: Session): void;
    deviceToken(req: Request): string | undefined;
  };
  /** Where a browser keeps what a sign-in began with until it comes back. */
  readonly transaction: {
    set(res: Response, value: string, maxAgeMs: number): void;
    clear(res: Response): void;
    read(req: Request): string | undefined;
  };
}

const providerOf = (req: Request): string => String(req.params.provider);

const queryOf = (req: Request): string => {
  const at = req.originalUrl.indexOf('?');
  return at === -1 ? '' : req.originalUrl.slice(at);
};

/** Not by `res.redirect`, whose body repeats the address: there may be a code in it. */
const redirect = (res: Response, url: string): void => {
  res.status(303).location(url).end();
};

/** Sign-in by OpenID Connect over REST. */
export const createOidcController = ({ oidc, cookies, transaction }: OidcControllerOptions) => ({
  list: (_req: Request, res: Response) => {
    res.json({ items: oidc.listProviders().map(toProviderView), nextCursor: null });
  },
  begin: async (start: BeginSignIn, req: Request, res: Response) => {
    const begun = await oidc.beginSignIn(providerOf(req), start);
    transaction.set(res, begun.transaction, begun.expiresInMs);
    redirect(res, begun.url);
  },
  end: async (req: Request, res: Response) => {
    const back = { query: queryOf(req), transaction: transaction.read(req) };
    const client = { ...clientOf(req), deviceToken: cookies.deviceToken(req) };
    const { redirectTo, session } = await oidc.endSignIn(providerOf(req), back, client);
    transaction.clear(res);
    if (session) cookies.set(res, session);
    redirect(res, redirectTo);
  },
  exchange: async ({ code, codeVerifier, deviceToken }: ExchangeCode, req: Request, res: Response) => {
    res.json(toTokenSession(await oidc.exchangeCode(code, codeVerifier, { ...clientOf(req), deviceToken })));
  },
  listIdentities: async (req: Request, res: Response) => {
    const identities = await oidc.listIdentities(actorOf(req));
    res.json({ items: identities.map(toIdentityView), nextCursor: null });
  },
  linkIdentity: async (link: LinkIdentity, req: Request, res: Response) => {
    res.status(201).json(toIdentityView(await oidc.linkIdentity(actorOf(req), link)));
  },
  removeIdentity: async ({ currentPassword }: RemoveIdentity, req: Request, res: Response) => {
    await oidc.removeIdentity(actorOf(req), String(req.params.id), currentPassword);
    res.status(204).end();
  },
});

export type OidcController = ReturnType<typeof createOidcController>;
