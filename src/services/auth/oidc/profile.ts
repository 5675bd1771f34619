import { z } from 'zod';
import { emailField } from '../../../schemas/auth.schemas.ts';

/** Who somebody is at a provider, as far as it is believed. */
export interface Profile {
  readonly issuer: string;
  readonly subject: string;
  /** Lower-cased. Null: none, or none that can be an address. */
  readonly email: string | null;
  /** Whether the provider says that it has verified the address, and is believed. */
  readonly emailVerified: boolean;
  readonly fullName: string | null;
  /** What an account's name could be made of, the best first. */
  readonly names: readonly string[];
}

/** Claims as they come (OpenID Connect Core §5.1), from the ID token or the userinfo endpoint. */
export type Claims = Readonly<Record<string, unknown>>;

const MAX_NAME_CHARS = 100;

const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value.isWellFormed() && value.trim() !== '' ? value.trim() : null;

const emailOf = (value: unknown): string | null => {
  const parsed = emailField.safeParse(value);
  return parsed.success ? parsed.data : null;
};

/** Some providers write the boolean as text. */
const isTrue = z.union([z.literal(true), z.literal('true')]);

export interface ProfileSource {
  readonly issuer: string;
  readonly subject: string;
  readonly idToken: Claims;
  /** Empty when the endpoint was not asked. */
  readonly userinfo: Claims;
  readonly trustsEmail: boolean;
}

/** The profile in a provider's claims. An address counts as verified only by the word of the same source. */
export const toProfile = ({ issuer, subject, idToken, userinfo, trustsEmail }: ProfileSource): Profile => {
  const source = idToken.email === undefined ? userinfo : idToken;
  const email = emailOf(source.email);
  const claim = (name: string): string | null => textOf(idToken[name]) ?? textOf(userinfo[name]);
  const fullName = claim('name');
  const names = [claim('preferred_username'), claim('nickname'), email, fullName];
  return {
    issuer,
    subject,
    email,
    emailVerified: email !== null && trustsEmail && isTrue.safeParse(source.email_verified).success,
    fullName: fullName === null ? null : [...fullName].slice(0, MAX_NAME_CHARS).join(''),
    names: names.filter((name) => name !== null).map((name) => name.replace(/@.*$/s, '')),
  };
};
