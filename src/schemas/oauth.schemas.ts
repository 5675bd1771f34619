import { z } from 'zod';
import { isAppError } from '../lib/errors.ts';
import { passwordField } from './auth.schemas.ts';
import { text } from './common.ts';

/** The body of `POST /api/auth/token`. Parameters that we do not know are ignored (RFC 6749 §3.2). */
export const tokenFormSchema = z
  .discriminatedUnion('grant_type', [
    z.object({
      grant_type: z.literal('password'),
      username: text(1, 254),
      password: passwordField,
      device_token: z.string().max(128).optional(),
    }),
    z.object({ grant_type: z.literal('refresh_token'), refresh_token: z.string().min(1).max(512) }),
  ])
  .meta({ id: 'TokenRequest' });
export type TokenForm = z.output<typeof tokenFormSchema>;

/** RFC 6749 §5.1. */
export const tokenResponseSchema = z
  .strictObject({
    access_token: z.string(),
    token_type: z.literal('Bearer'),
    expires_in: z.int().meta({ description: 'Seconds' }),
    refresh_token: z.string(),
    scope: z.string(),
    device_token: z
      .string()
      .optional()
      .meta({ description: 'After a password: to be kept on the device and sent with its next one' }),
  })
  .meta({ id: 'TokenResponse' });
export type TokenResponse = z.infer<typeof tokenResponseSchema>;

/** RFC 6749 §5.2, as far as there are no registered clients. */
export const oauthErrorSchema = z
  .strictObject({
    error: z.enum(['invalid_request', 'invalid_grant', 'unsupported_grant_type']),
    error_description: z.string(),
  })
  .meta({ id: 'OAuthError' });
export type OAuthErrorBody = z.infer<typeof oauthErrorSchema>;

/** A refusal in OAuth's own words; only the token endpoint speaks them. */
export class OAuthError extends Error {
  readonly body: OAuthErrorBody;

  constructor(error: OAuthErrorBody['error'], description: string) {
    super(description);
    this.name = 'OAuthError';
    this.body = { error, error_description: description };
  }
}

/** @throws OAuthError `invalid_request` naming the parameters, `unsupported_grant_type` */
export const parseTokenForm = (form: unknown): TokenForm => {
  const result = tokenFormSchema.safeParse(form);
  if (result.success) return result.data;
  const names = [...new Set(result.error.issues.map((issue) => String(issue.path[0])))];
  if (names.includes('grant_type') && z.object({ grant_type: z.string() }).safeParse(form).success) {
    throw new OAuthError('unsupported_grant_type', 'grant_type must be password or refresh_token');
  }
  throw new OAuthError('invalid_request', `missing or wrong: ${names.join(', ')}`);
};

/** An error as OAuth clients understand it; null for those (limits, our own failures) that RFC 6749 has no word for. */
export const toOAuthError = (error: unknown): OAuthErrorBody | null => {
  if (error instanceof OAuthError) return error.body;
  for (const code of [
    'INVALID_CREDENTIALS',
    'ACCOUNT_DISABLED',
    'EMAIL_NOT_VERIFIED',
    'MFA_REQUIRED',
    'TOKEN_INVALID',
    'TOKEN_REVOKED',
  ] as const) {
    if (isAppError(error, code)) return { error: 'invalid_grant', error_description: error.message };
  }
  return null;
};
