import { z } from 'zod';

/** One environment variable: how it is read, what it is without being set, and what it means. */
export interface Variable<T = unknown, F extends string | undefined = string | undefined> {
  readonly schema: z.ZodType<T>;
  /** As it would stand in the environment; undefined: unset. */
  readonly fallback: F;
  readonly description: string;
  readonly group: string;
  /** Secrets can be read from the file that `<NAME>_FILE` names. */
  readonly isSecret: boolean;
}

/** What a variable's value is once it was read: with a default it is always there. */
export type ValueOfVariable<V extends Variable> =
  V extends Variable<infer T, infer F> ? (F extends string ? T : T | undefined) : never;

export const variable =
  (group: string) =>
  <T, F extends string | undefined>(schema: z.ZodType<T>, fallback: F, description: string): Variable<T, F> => ({
    schema,
    fallback,
    description,
    group,
    isSecret: false,
  });

export const secret = <T, F extends string | undefined>(plain: Variable<T, F>): Variable<T, F> => ({
  ...plain,
  isSecret: true,
});

export const wholeNumber = (min: number, max: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^\d{1,12}$/, `must be a whole number from ${String(min)} to ${String(max)}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a whole number from ${String(min)} to ${String(max)}`);

export const decimal = (min: number, max: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, `must be a number from ${String(min)} to ${String(max)}`)
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be a number from ${String(min)} to ${String(max)}`);

export const boolean: z.ZodType<boolean> = z
  .enum(['true', 'false', '1', '0'], 'must be true or false')
  .transform((value) => value === 'true' || value === '1');

export const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `250ms`, `50s`, `15m`, `12h`, `30d` → milliseconds. */
export const duration = (minMs: number, maxMs: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^\d{1,9}(ms|s|m|h|d)$/, 'must be a duration such as 50s, 15m or 30d')
    .transform((value) => parseInt(value, 10) * (UNIT_MS[value.replace(/^\d+/, '')] ?? NaN))
    .refine((ms) => ms >= minMs && ms <= maxMs, 'is out of range');

export const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https address' });
export const trimmedUrl: z.ZodType<string> = httpUrl.transform((value) => value.replace(/\/+$/, ''));

/** The path of a page, to which a fragment is added. */
export const linkPath = z.string().regex(/^\/[^\s#]*$/, 'must be a path that begins with / and has no #');

const splitByCommas = (value: string): string[] =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);

const listOf = (value: string): string[] => value.split(/[\s,]+/).filter(Boolean);

/** Names of OpenID Connect providers: parts of addresses and, in capitals, of variables' names. */
export const providerIds: z.ZodType<readonly string[]> = z
  .string()
  .transform(listOf)
  .refine(
    (list) => list.every((id) => /^[a-z][a-z0-9-]{0,30}$/.test(id) && id !== 'token'),
    'must be a list of names of a–z, 0–9 and -, such as google,corp; not token',
  )
  .refine((list) => new Set(list).size === list.length, 'names a provider twice');

/** OAuth scopes (RFC 6749 §3.3); without `openid` there is no ID token. */
export const oidcScopes: z.ZodType<readonly string[]> = z
  .string()
  .transform(listOf)
  .refine((list) => list.includes('openid'), 'must have openid among its scopes')
  .refine((list) => list.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope)), 'must be a list of scopes');

/** URL schemes of apps: with a dot, as RFC 8252 §7.1 asks, which `javascript` and its like have not. */
export const appSchemes: z.ZodType<readonly string[]> = z
  .string()
  .transform(listOf)
  .refine(
    (list) => list.every((scheme) => /^[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+$/.test(scheme)),
    'must be a list of schemes in reverse domain order, such as com.example.chat',
  );

/** Origins as browsers send them: `https://app.example.com`, `capacitor://localhost`; never `*`. */
export const origins: z.ZodType<readonly string[]> = z
  .string()
  .transform(splitByCommas)
  .refine((list) => !list.includes('*'), 'must name the origins: * would let every site use its visitors’ logins')
  .refine(
    (list) => list.every((item) => /^[a-z][a-z0-9+.-]*:\/\/[^/\s?#]+$/i.test(item)),
    'must be origins such as https://app.example.com, without a path',
  );

export interface WeightedModel {
  readonly slug: string;
  readonly weight: number;
}

export const models: z.ZodType<readonly WeightedModel[]> = z
  .string()
  .transform(splitByCommas)
  .refine((list) => list.length > 0, 'must name at least one model')
  .refine(
    (list) => list.every((item) => /^[\w.:/@+-]{1,128}(=[1-9]\d{0,3})?$/.test(item)),
    'must be a list of slug or slug=weight, such as openai/gpt-5-mini,qwen/qwen3-32b=2',
  )
  .transform((list) =>
    list.map((item) => {
      const [slug = '', weight = '1'] = item.split('=');
      return { slug, weight: Number(weight) };
    }),
  )
  .refine((list) => new Set(list.map((item) => item.slug)).size === list.length, 'names a model twice');
