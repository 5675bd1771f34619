import type { Request, Response } from 'express';
import { actorOf } from '../middleware/request.ts';
import {
  proofOf,
  type ConfirmTotp,
  type RemoveTotp,
  type TotpOfferView,
  type TotpStatusView,
} from '../schemas/mfa.schemas.ts';
import type { AuthService, TotpOffer, TotpStatus } from '../services/auth/index.ts';

const toStatusView = ({ enabled, enabledAt, recoveryCodesLeft }: TotpStatus): TotpStatusView => ({
  enabled,
  enabledAt: enabledAt.toISOString(),
  recoveryCodesLeft,
});

const toOfferView = (offer: TotpOffer): TotpOfferView => ({
  enabled: false,
  secret: offer.secret,
  otpauthUri: offer.otpauthUri,
  recoveryCodes: [...offer.recoveryCodes],
  setupToken: offer.setupToken,
  expiresIn: offer.expiresInSeconds,
});

/** The second factor of the own account over REST; `POST /api/auth/mfa` is a login and stands with the logins. */
export const createMfaController = (auth: AuthService) => ({
  getTotp: async (req: Request, res: Response) => {
    const totp = await auth.getTotp(actorOf(req));
    res.json(totp.enabled ? toStatusView(totp) : toOfferView(totp));
  },
  confirmTotp: async (confirmation: ConfirmTotp, req: Request, res: Response) => {
    res.json(toStatusView(await auth.confirmTotp(actorOf(req), confirmation)));
  },
  removeTotp: async ({ password, ...proof }: RemoveTotp, req: Request, res: Response) => {
    await auth.removeTotp(actorOf(req), { password, proof: proofOf(proof) });
    res.status(204).end();
  },
});

export type MfaController = ReturnType<typeof createMfaController>;
