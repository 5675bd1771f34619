import type { Request, Response } from 'express';
import type { z } from 'zod';
import { actorOf } from '../middleware/request.ts';
import type {
  changePasswordSchema,
  mailAddressSchema,
  resetPasswordSchema,
  verifyEmailSchema,
} from '../schemas/accountMail.schemas.ts';
import type { AuthService } from '../services/auth/index.ts';

type MailAddress = z.output<typeof mailAddressSchema>;

/** Passwords over REST, and what is done by links in mails. */
export const createAccountMailController = (auth: AuthService) => ({
  changePassword: async (change: z.output<typeof changePasswordSchema>, req: Request, res: Response) => {
    await auth.changePassword(actorOf(req), change);
    res.status(204).end();
  },
  verifyEmail: async ({ token }: z.output<typeof verifyEmailSchema>, _req: Request, res: Response) => {
    await auth.verifyEmail(token);
    res.status(204).end();
  },
  resendVerification: async ({ email }: MailAddress, _req: Request, res: Response) => {
    await auth.resendVerification(email);
    res.status(202).end();
  },
  forgotPassword: async ({ email }: MailAddress, _req: Request, res: Response) => {
    await auth.forgotPassword(email);
    res.status(202).end();
  },
  resetPassword: async ({ token, newPassword }: z.output<typeof resetPasswordSchema>, _req: Request, res: Response) => {
    await auth.resetPassword(token, newPassword);
    res.status(204).end();
  },
});

export type AccountMailController = ReturnType<typeof createAccountMailController>;
