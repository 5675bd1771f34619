import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  NOT_YET,
  VARIABLES,
  type Environment,
  type Variable,
  type VariableName,
  type WeightedModel,
} from './env.schema.ts';

export type { WeightedModel } from './env.schema.ts';

export interface Config {
  readonly isProduction: boolean;
  readonly server: {
    readonly port: number;
    readonly host: string;
    readonly publicUrl: string | null;
    /** Frontends' origins besides the server's own. */
    readonly corsOrigins: readonly string[];
    readonly trustProxyHops: number;
  };
  readonly log: { readonly level: string; readonly format: 'json' | 'text' };
  readonly database: {
    readonly mongodbUri: string | null;
    readonly dataDir: string;
    readonly sqliteFile: string;
    readonly chatRetentionDays: number;
  };
  readonly llm: {
    readonly provider: 'openrouter' | 'simulator';
    readonly apiKey: string | null;
    readonly baseUrl: string;
    readonly models: readonly WeightedModel[];
    readonly affinity: 'message' | 'chat';
    readonly systemPrompt: string;
    readonly temperature: number;
    readonly maxOutputTokens: number;
    readonly allowClientSystemPrompt: boolean;
    readonly timeouts: {
      readonly connectMs: number;
      readonly firstTokenMs: number;
      readonly idleMs: number;
      readonly totalMs: number;
    };
  };
  readonly auth: {
    /** Null only until development secrets are made (`withDevelopmentSecrets`). */
    readonly jwtSecret: string | null;
    readonly jwtSecretPrevious: string | null;
    readonly jwtIssuer: string;
    readonly accessTokenTtlMs: number;
    readonly refreshTokenTtlMs: number;
    readonly bcryptCost: number;
    readonly passwordPepper: string | null;
    readonly passwordRules: 'full' | 'length';
    readonly oauthPasswordGrant: boolean;
    readonly admin: { readonly username: string; readonly email: string; readonly password: string | null };
  };
  readonly limits: { readonly authPerMinute: number; readonly apiPerMinute: number; readonly chatPerSecond: number };
  readonly chat: {
    readonly contextMaxMessages: number;
    readonly contextMaxTokens: number;
    readonly contextCacheBytes: number;
    readonly messageMaxChars: number;
    readonly responseWaitMs: number;
  };
  /** Variables that are set and that this version does not act on. */
  readonly ignored: readonly string[];
}

/** Everything that is wrong with the environment, one line each; never a secret's value. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`The configuration is wrong:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

type Env = Readonly<Record<string, string | undefined>>;

/** A variable's raw text: its own, that of the file `NAME_FILE` names, or the default. Empty counts as unset. */
const rawValue = (name: VariableName, env: Env, problems: string[]): string | undefined => {
  const { fallback, isSecret }: Variable = VARIABLES[name];
  const own = env[name];
  const file = isSecret ? env[`${name}_FILE`] : undefined;
  if (own && file) problems.push(`${name} and ${name}_FILE are both set: keep one`);
  if (own) return own;
  if (!file) return fallback;
  try {
    return readFileSync(file, 'utf8').trim() || fallback;
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read`);
    return fallback;
  }
};

const readEnvironment = (env: Env, problems: string[]): Partial<Environment> => {
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(VARIABLES) as VariableName[]) {
    const raw = rawValue(name, env, problems);
    if (raw === undefined) continue;
    const result = VARIABLES[name].schema.safeParse(raw);
    if (result.success) values[name] = result.data;
    else problems.push(`${name} ${result.error.issues[0]?.message ?? 'is not valid'}`);
  }
  return values as Partial<Environment>;
};

const MIN_SECRET_BYTES = 32;
const EXAMPLE_SECRET = /change.?me|example|secret|password|your[-_ ]|^(.)\1*$/i;

const isWeak = (secret: string): boolean => Buffer.byteLength(secret) < MIN_SECRET_BYTES || EXAMPLE_SECRET.test(secret);

const productionProblems = (values: Partial<Environment>, env: Env): string[] => {
  const problems: string[] = [];
  if (!values.JWT_SECRET) problems.push('JWT_SECRET must be set in production: openssl rand -base64 48');
  for (const name of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const) {
    const secret = values[name];
    if (secret && isWeak(secret)) problems.push(`${name} must have at least 32 bytes and not be an example`);
  }
  if ((values.BCRYPT_COST ?? 12) < 10) problems.push('BCRYPT_COST must be at least 10 in production');
  if (!values.LLM_PROVIDER && !hasModelEndpoint(env, values)) {
    problems.push(
      'OPENROUTER_API_KEY or OPENROUTER_BASE_URL must be set in production, or LLM_PROVIDER=simulator on purpose',
    );
  }
  return problems;
};

const hasModelEndpoint = (env: Env, values: Partial<Environment>): boolean =>
  Boolean(values.OPENROUTER_API_KEY ?? env.OPENROUTER_BASE_URL);

/** Freezes a plain tree, so that nobody can change the configuration while it is used. */
const deepFreeze = <T extends object>(value: T): T => {
  for (const item of Object.values(value)) if (item !== null && typeof item === 'object') deepFreeze(item as object);
  return Object.freeze(value);
};

/** The parts of the environment that have a default, and so are there once nothing is wrong. */
type Complete = Partial<Environment> & {
  readonly [K in VariableName as (typeof VARIABLES)[K]['fallback'] extends string ? K : never]: NonNullable<
    Environment[K]
  >;
};

/**
 * The configuration, read once at start.
 * @throws ConfigError with every problem at once
 */
export const loadConfig = (env: Env): Config => {
  const problems: string[] = [];
  const read = readEnvironment(env, problems);
  const isProduction = read.NODE_ENV === 'production';
  if (isProduction) problems.push(...productionProblems(read, env));
  if (read.LLM_PROVIDER === 'openrouter' && !hasModelEndpoint(env, read)) {
    problems.push('LLM_PROVIDER=openrouter needs OPENROUTER_API_KEY or OPENROUTER_BASE_URL');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(toConfig(read as unknown as Complete, env, isProduction));
};

const toConfig = (values: Required<Environment> | Complete, env: Env, isProduction: boolean): Config => {
  const v = values as { [K in VariableName]: NonNullable<Environment[K]> };
  const optional = values as Partial<Environment>;
  const dataDir = resolve(v.DATA_DIR);
  return {
    isProduction,
    server: {
      port: v.PORT,
      host: v.HOST,
      publicUrl: optional.PUBLIC_URL ?? null,
      corsOrigins: [
        ...(optional.CORS_ORIGINS ?? []),
        ...(optional.PUBLIC_URL ? [new URL(optional.PUBLIC_URL).origin] : []),
      ],
      trustProxyHops: v.TRUST_PROXY,
    },
    log: { level: v.LOG_LEVEL, format: optional.LOG_FORMAT ?? (process.stdout.isTTY ? 'text' : 'json') },
    database: {
      mongodbUri: optional.MONGODB_URI ?? null,
      dataDir,
      sqliteFile: join(dataDir, 'parley.db'),
      chatRetentionDays: v.CHAT_RETENTION_DAYS,
    },
    llm: {
      provider: optional.LLM_PROVIDER ?? (hasModelEndpoint(env, optional) ? 'openrouter' : 'simulator'),
      apiKey: optional.OPENROUTER_API_KEY ?? null,
      baseUrl: v.OPENROUTER_BASE_URL,
      models: v.OPENROUTER_MODELS,
      affinity: v.ROUTER_AFFINITY,
      systemPrompt: v.SYSTEM_PROMPT,
      temperature: v.TEMPERATURE,
      maxOutputTokens: v.MAX_OUTPUT_TOKENS,
      allowClientSystemPrompt: v.ALLOW_CLIENT_SYSTEM_PROMPT,
      timeouts: {
        connectMs: v.LLM_CONNECT_TIMEOUT,
        firstTokenMs: v.LLM_FIRST_TOKEN_TIMEOUT,
        idleMs: v.LLM_IDLE_TIMEOUT,
        totalMs: v.LLM_TOTAL_TIMEOUT,
      },
    },
    auth: {
      jwtSecret: optional.JWT_SECRET ?? null,
      jwtSecretPrevious: optional.JWT_SECRET_PREVIOUS ?? null,
      jwtIssuer: v.JWT_ISSUER,
      accessTokenTtlMs: v.ACCESS_TOKEN_TTL,
      refreshTokenTtlMs: v.REFRESH_TOKEN_TTL,
      bcryptCost: v.BCRYPT_COST,
      passwordPepper: optional.PASSWORD_PEPPER ?? null,
      passwordRules: v.PASSWORD_RULES,
      oauthPasswordGrant: v.OAUTH_PASSWORD_GRANT,
      admin: { username: v.ADMIN_USERNAME, email: v.ADMIN_EMAIL, password: optional.ADMIN_PASSWORD ?? null },
    },
    limits: {
      authPerMinute: v.RATE_LIMIT_AUTH_PER_MINUTE,
      apiPerMinute: v.RATE_LIMIT_API_PER_MINUTE,
      chatPerSecond: v.RATE_LIMIT_CHAT_PER_SECOND,
    },
    chat: {
      contextMaxMessages: v.CONTEXT_MAX_MESSAGES,
      contextMaxTokens: v.CONTEXT_MAX_TOKENS,
      contextCacheBytes: v.CONTEXT_CACHE_MB * 1024 * 1024,
      messageMaxChars: v.MESSAGE_MAX_CHARS,
      responseWaitMs: v.RESPONSE_WAIT,
    },
    ignored: NOT_YET.filter((name) => Boolean(env[name])),
  };
};
