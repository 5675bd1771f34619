import { z } from 'zod';
import { emailField, passwordField } from './auth.schemas.ts';

export const changePasswordSchema = z
  .strictObject({ currentPassword: passwordField, newPassword: passwordField })
  .meta({ id: 'ChangePassword' });

/** What the link of a mail holds after `#token=`. */
const linkToken = z.string().min(1).max(128);

export const verifyEmailSchema = z.strictObject({ token: linkToken }).meta({ id: 'VerifyEmail' });
export const mailAddressSchema = z.strictObject({ email: emailField }).meta({ id: 'MailAddress' });
export const resetPasswordSchema = z
  .strictObject({ token: linkToken, newPassword: passwordField })
  .meta({ id: 'ResetPassword' });

/** A signup that goes on in the mailbox. */
export const verificationSentSchema = z
  .strictObject({ verification: z.literal('sent') })
  .meta({ id: 'VerificationSent' });
export const VERIFICATION_SENT = { verification: 'sent' } as const;
