import { z } from 'zod';
import { deviceTokenField, passwordField, sessionField } from './auth.schemas.ts';
import { timestamp } from './common.ts';

/** What may stand for a second factor, in the words of services/auth/secondFactors.ts. */
interface Proof {
  readonly kind: 'totp' | 'recovery-code';
  readonly code: string;
}

/** Six digits, as authenticators show them: some put a space in the middle. */
const code = z
  .string()
  .max(16)
  .transform((value) => value.replaceAll(/\s/g, ''))
  .refine((value) => /^\d{6}$/.test(value), 'must have six digits');

const recoveryCode = z
  .string()
  .min(1)
  .max(64)
  .meta({ description: 'Good once; whatever its case, with or without dashes' });

const setupToken = z.string().min(1).max(2048);
const proof = { code: code.optional(), recoveryCode: recoveryCode.optional() };

interface GivenProof {
  readonly code?: string | undefined;
  readonly recoveryCode?: string | undefined;
}

/** One of the two, and not both. */
const isOneProof = (input: GivenProof): boolean => (input.code === undefined) !== (input.recoveryCode === undefined);
const ONE_PROOF = { path: ['code'], message: 'give code or recoveryCode' };

export const finishLoginSchema = z
  .strictObject({
    mfaToken: z.string().min(1).max(1024),
    ...proof,
    session: sessionField,
    deviceToken: deviceTokenField,
  })
  .refine(isOneProof, ONE_PROOF)
  .meta({ id: 'FinishLogin' });
export type FinishLogin = z.output<typeof finishLoginSchema>;

export const confirmTotpSchema = z
  .strictObject({ setupToken, code, password: passwordField })
  .meta({ id: 'ConfirmTotp' });
export type ConfirmTotp = z.output<typeof confirmTotpSchema>;

export const removeTotpSchema = z
  .strictObject({ password: passwordField, ...proof })
  .refine(isOneProof, ONE_PROOF)
  .meta({ id: 'RemoveTotp' });
export type RemoveTotp = z.output<typeof removeTotpSchema>;

/** The one of the two that a client gave. */
export const proofOf = ({ code: totp, recoveryCode: recovery = '' }: GivenProof): Proof =>
  totp === undefined ? { kind: 'recovery-code', code: recovery } : { kind: 'totp', code: totp };

export const totpStatusSchema = z
  .strictObject({ enabled: z.literal(true), enabledAt: timestamp, recoveryCodesLeft: z.int() })
  .meta({ id: 'TotpStatus' });
export type TotpStatusView = z.infer<typeof totpStatusSchema>;

export const totpOfferSchema = z
  .strictObject({
    enabled: z.literal(false),
    secret: z.string().meta({ description: 'In base32, for who types it' }),
    otpauthUri: z.string().meta({ description: 'For the QR code' }),
    recoveryCodes: z.array(z.string()).meta({ description: 'For the user to keep; shown here and never again' }),
    setupToken: z.string().meta({ description: 'For the confirmation' }),
    expiresIn: z.int().meta({ description: 'Seconds' }),
  })
  .meta({ id: 'TotpOffer' });
export type TotpOfferView = z.infer<typeof totpOfferSchema>;
