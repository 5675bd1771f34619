import { z } from 'zod';
import type { User } from '../models/entities.ts';
import { codePoints, flag, text, timestamp } from './common.ts';

export const userSchema = z
  .strictObject({
    id: z.string(),
    username: z.string(),
    email: z.string(),
    emailVerified: z.boolean(),
    fullName: z.string().optional(),
    role: z.enum(['user', 'manager', 'admin']),
    status: z.enum(['active', 'disabled']),
    mfaEnabled: z.boolean().meta({ description: 'Whether a login needs a second factor' }),
    createdAt: timestamp,
    updatedAt: timestamp,
    lastLoginAt: timestamp.nullable(),
  })
  .meta({ id: 'User' });

export type UserView = z.infer<typeof userSchema>;

/** What clients see of a user. */
export const toUserView = (user: User): UserView => ({
  id: user.id,
  username: user.username,
  email: user.email,
  emailVerified: user.emailVerified,
  ...(user.fullName === null ? {} : { fullName: user.fullName }),
  role: user.role,
  status: user.status,
  mfaEnabled: user.mfaEnabled,
  createdAt: user.createdAt.toISOString(),
  updatedAt: user.updatedAt.toISOString(),
  lastLoginAt: user.lastLoginAt?.toISOString() ?? null,
});

export const usernameField = z
  .string()
  .regex(/^[A-Za-z0-9_]{3,50}$/, 'must have 3–50 characters of A–Z, a–z, 0–9 and _');

/** At most 254 characters (RFC 5321 §4.5.3.1.3); lower-cased, because mail hosts do not tell cases apart. */
export const emailField = z
  .email('must be an e-mail address')
  .max(254)
  .transform((value) => value.toLowerCase());

/** A password as typed; its strength is judged only where a new one is set. NFKC as NIST SP 800-63B asks. */
export const passwordField = z
  .string()
  .max(1024)
  .refine((value) => value.isWellFormed(), 'must be well-formed Unicode')
  .transform((value) => value.normalize('NFKC'))
  .refine((value) => codePoints(value) >= 1, 'must not be empty');

/** Cookies for browsers, or both tokens in the body for other clients. */
export const sessionField = z.enum(['cookie', 'token']).default('cookie');
const fullName = text(1, 100);
/** What an earlier login on this device answered: so its user gets in whatever others try under the same name. */
export const deviceTokenField = z.string().max(128).optional();

export const signupSchema = z
  .strictObject({
    username: usernameField,
    email: emailField,
    password: passwordField,
    fullName: fullName.optional(),
    session: sessionField,
  })
  .meta({ id: 'Signup' });
export type Signup = z.output<typeof signupSchema>;

export const loginSchema = z
  .strictObject({
    username: text(1, 254),
    password: passwordField,
    session: sessionField,
    deviceToken: deviceTokenField,
  })
  .meta({ id: 'Login' });
export type LoginInput = z.output<typeof loginSchema>;

export const refreshSchema = z.strictObject({ refreshToken: z.string().max(512).optional() }).meta({ id: 'Refresh' });

/** `?all=true` ends every login. */
export const logoutQuerySchema = z.strictObject({ all: flag });

export const updateMeSchema = z
  .strictObject({
    username: usernameField.optional(),
    email: emailField.optional(),
    fullName: fullName.nullable().optional(),
    /** Needed to change the e-mail address (ASVS 7.5.1). */
    currentPassword: passwordField.optional(),
  })
  .meta({ id: 'UpdateMe' });
export type UpdateMe = z.output<typeof updateMeSchema>;

export const deleteMeSchema = z.strictObject({ password: passwordField }).meta({ id: 'DeleteMe' });

export const sessionSchema = z
  .strictObject({
    user: userSchema,
    accessToken: z.string(),
    tokenType: z.literal('Bearer'),
    expiresIn: z.int().meta({ description: 'Seconds' }),
    refreshToken: z.string().optional(),
    deviceToken: z.string().optional().meta({ description: 'To be kept on the device and sent with its next login' }),
  })
  .meta({ id: 'Session' });
export type SessionView = z.infer<typeof sessionSchema>;

export const ticketSchema = z.strictObject({ ticket: z.string(), expiresIn: z.int().meta({ description: 'Seconds' }) });
