import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseFailpoints, type Failpoint } from '../lib/failpoints.ts';
import {
  NOT_YET,
  VARIABLES,
  type ValueOf,
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
    readonly midStreamFailover: boolean;
    readonly modelConcurrency: number;
    readonly timeouts: {
      readonly connectMs: number;
      readonly headersMs: number;
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
    readonly auditRetentionDays: number;
    readonly admin: { readonly username: string; readonly email: string; readonly password: string | null };
  };
  readonly mail: {
    readonly smtpUrl: string | null;
    readonly from: string;
    readonly requireVerification: boolean;
    /** What links begin with, without a slash at the end. */
    readonly baseUrl: string;
    readonly paths: { readonly verify: string; readonly reset: string };
  };
  readonly limits: {
    readonly authPerMinute: number;
    readonly apiPerMinute: number;
    readonly chatPerSecond: number;
    readonly connectionsPerUser: number;
    readonly loginThrottle: boolean;
  };
  /** Per user; 0: none. */
  readonly quotas: {
    readonly concurrentReplies: number;
    readonly tokensPerDay: number;
    readonly costMicroUsdPerDay: number;
  };
  readonly chat: {
    readonly contextMaxMessages: number;
    readonly contextMaxTokens: number;
    readonly contextCacheBytes: number;
    readonly messageMaxChars: number;
    readonly responseWaitMs: number;
    readonly replyLog: 'tick' | 'second' | 'end';
  };
  /** The door at `/v1`. */
  readonly openai: {
    readonly bodyMaxBytes: number;
    readonly heartbeatMs: number;
  };
  /** Variables that are set and that this version does not act on. */
  readonly ignored: readonly string[];
  /** Where this process is to fail, for the tests of that; empty but with `NODE_ENV=test`. */
  readonly failpoints: readonly Failpoint[];
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

/** Reads one variable; what is wrong with it goes to the list of problems, and its default stands in for it. */
type Read = <K extends VariableName>(name: K) => ValueOf<K>;

/** A secret from the file that `NAME_FILE` names. */
const readSecretFile = (name: VariableName, file: string, problems: string[]): string | undefined => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    problems.push(`${name}_FILE names a file that cannot be read`);
    return undefined;
  }
};

/** A variable's text as it was set; empty counts as unset. */
const rawValue = (name: VariableName, env: Env, problems: string[]): string | undefined => {
  const own = env[name];
  const file = VARIABLES[name].isSecret ? env[`${name}_FILE`] : undefined;
  if (own && file) problems.push(`${name} and ${name}_FILE are both set: keep one`);
  return own || (file && readSecretFile(name, file, problems)) || undefined;
};

const createReader = (env: Env, problems: string[]): Read => {
  const parse = (name: VariableName): unknown => {
    const { schema, fallback }: Variable = VARIABLES[name];
    const raw = rawValue(name, env, problems);
    const result = raw === undefined ? null : schema.safeParse(raw);
    if (result?.success) return result.data;
    if (result) problems.push(`${name} ${result.error.issues[0]?.message ?? 'is not valid'}`);
    return fallback === undefined ? undefined : schema.parse(fallback);
  };
  // eslint-disable-next-line @typescript-eslint/consistent-type-assertions -- the type of a schema's output does not follow its name
  return <K extends VariableName>(name: K) => parse(name) as ValueOf<K>;
};

const serverConfig = (read: Read): Config['server'] => {
  const publicUrl = read('PUBLIC_URL') ?? null;
  return {
    port: read('PORT'),
    host: read('HOST'),
    publicUrl,
    corsOrigins: [...(read('CORS_ORIGINS') ?? []), ...(publicUrl === null ? [] : [new URL(publicUrl).origin])],
    trustProxyHops: read('TRUST_PROXY'),
  };
};

const databaseConfig = (read: Read): Config['database'] => {
  const dataDir = resolve(read('DATA_DIR'));
  return {
    mongodbUri: read('MONGODB_URI') ?? null,
    dataDir,
    sqliteFile: join(dataDir, 'parley.db'),
    chatRetentionDays: read('CHAT_RETENTION_DAYS'),
  };
};

const llmConfig = (read: Read, hasEndpoint: boolean): Config['llm'] => ({
  provider: read('LLM_PROVIDER') ?? (hasEndpoint ? 'openrouter' : 'simulator'),
  apiKey: read('OPENROUTER_API_KEY') ?? null,
  baseUrl: read('OPENROUTER_BASE_URL'),
  models: read('OPENROUTER_MODELS'),
  affinity: read('ROUTER_AFFINITY'),
  systemPrompt: read('SYSTEM_PROMPT'),
  temperature: read('TEMPERATURE'),
  maxOutputTokens: read('MAX_OUTPUT_TOKENS'),
  allowClientSystemPrompt: read('ALLOW_CLIENT_SYSTEM_PROMPT'),
  midStreamFailover: read('MID_STREAM_FAILOVER'),
  modelConcurrency: read('LLM_MODEL_CONCURRENCY'),
  timeouts: {
    connectMs: read('LLM_CONNECT_TIMEOUT'),
    headersMs: read('LLM_HEADERS_TIMEOUT'),
    firstTokenMs: read('LLM_FIRST_TOKEN_TIMEOUT'),
    idleMs: read('LLM_IDLE_TIMEOUT'),
    totalMs: read('LLM_TOTAL_TIMEOUT'),
  },
});

const authConfig = (read: Read): Config['auth'] => ({
  jwtSecret: read('JWT_SECRET') ?? null,
  jwtSecretPrevious: read('JWT_SECRET_PREVIOUS') ?? null,
  jwtIssuer: read('JWT_ISSUER'),
  accessTokenTtlMs: read('ACCESS_TOKEN_TTL'),
  refreshTokenTtlMs: read('REFRESH_TOKEN_TTL'),
  bcryptCost: read('BCRYPT_COST'),
  passwordPepper: read('PASSWORD_PEPPER') ?? null,
  passwordRules: read('PASSWORD_RULES'),
  oauthPasswordGrant: read('OAUTH_PASSWORD_GRANT'),
  auditRetentionDays: read('AUDIT_RETENTION_DAYS'),
  admin: { username: read('ADMIN_USERNAME'), email: read('ADMIN_EMAIL'), password: read('ADMIN_PASSWORD') ?? null },
});

const mailConfig = (read: Read, { publicUrl, port }: Config['server']): Config['mail'] => ({
  smtpUrl: read('SMTP_URL') ?? null,
  from: read('MAIL_FROM') ?? '',
  requireVerification: read('REQUIRE_EMAIL_VERIFICATION'),
  baseUrl: publicUrl ?? `http://localhost:${String(port)}`,
  paths: { verify: read('MAIL_VERIFY_PATH'), reset: read('MAIL_RESET_PATH') },
});

/** Mails that could not be sent, or whose links would lead nowhere. */
const mailProblems = ({ mail, server, isProduction }: Config): string[] => [
  ...(mail.smtpUrl !== null && server.publicUrl === null
    ? ['SMTP_URL needs PUBLIC_URL: the links in mails begin with it']
    : []),
  ...(mail.smtpUrl !== null && mail.from === '' ? ['SMTP_URL needs MAIL_FROM: who the mails are from'] : []),
  ...(mail.requireVerification && mail.smtpUrl === null && isProduction
    ? ['REQUIRE_EMAIL_VERIFICATION needs SMTP_URL: without mail nobody could log in']
    : []),
];

const chatConfig = (read: Read): Config['chat'] => ({
  contextMaxMessages: read('CONTEXT_MAX_MESSAGES'),
  contextMaxTokens: read('CONTEXT_MAX_TOKENS'),
  contextCacheBytes: read('CONTEXT_CACHE_MB') * 1024 * 1024,
  messageMaxChars: read('MESSAGE_MAX_CHARS'),
  responseWaitMs: read('RESPONSE_WAIT'),
  replyLog: read('REPLY_LOG'),
});

/** Not in the table of variables: it is nothing that an operator can set. */
const readFailpoints = ({ NODE_ENV, PARLEY_FAILPOINTS }: Env, problems: string[]): Config['failpoints'] => {
  if (!PARLEY_FAILPOINTS) return [];
  if (NODE_ENV !== 'test') problems.push('PARLEY_FAILPOINTS makes the server fail on purpose: with NODE_ENV=test only');
  try {
    return parseFailpoints(PARLEY_FAILPOINTS);
  } catch (error) {
    problems.push(`PARLEY_FAILPOINTS ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
};

const MIN_SECRET_BYTES = 32;
const EXAMPLE_SECRET = /change.?me|example|secret|password|your[-_ ]|^(.)\1*$/i;

const isWeak = (secret: string): boolean => Buffer.byteLength(secret) < MIN_SECRET_BYTES || EXAMPLE_SECRET.test(secret);

/** What a laptop may do and a production server may not. */
const productionProblems = ({ auth }: Config, isModelSourceSaid: boolean): string[] => {
  const secrets = { JWT_SECRET: auth.jwtSecret, JWT_SECRET_PREVIOUS: auth.jwtSecretPrevious };
  const weak = Object.entries(secrets).filter(([, value]) => value !== null && isWeak(value));
  return [
    ...(auth.jwtSecret === null ? ['JWT_SECRET must be set in production: openssl rand -base64 48'] : []),
    ...weak.map(([name]) => `${name} must have at least 32 bytes and not be an example`),
    ...(auth.bcryptCost < 10 ? ['BCRYPT_COST must be at least 10 in production'] : []),
    ...(isModelSourceSaid
      ? []
      : ['OPENROUTER_API_KEY or OPENROUTER_BASE_URL must be set in production, or LLM_PROVIDER=simulator on purpose']),
  ];
};

/** Freezes a plain tree, so that nobody can change the configuration while it is used. */
const deepFreeze = <T extends object>(value: T): T => {
  for (const item of Object.values(value)) if (item !== null && typeof item === 'object') deepFreeze(item);
  return Object.freeze(value);
};

/**
 * The configuration, read once at start.
 * @throws ConfigError with every problem at once
 */
export const loadConfig = (env: Env): Config => {
  const problems: string[] = [];
  const read = createReader(env, problems);
  const isProduction = read('NODE_ENV') === 'production';
  const hasEndpoint = Boolean(env.OPENROUTER_API_KEY || env.OPENROUTER_API_KEY_FILE || env.OPENROUTER_BASE_URL);
  const server = serverConfig(read);
  const isTerminal = process.stdout.isTTY;
  const config: Config = {
    isProduction,
    server,
    log: { level: read('LOG_LEVEL'), format: read('LOG_FORMAT') ?? (isTerminal ? 'text' : 'json') },
    database: databaseConfig(read),
    llm: llmConfig(read, hasEndpoint),
    auth: authConfig(read),
    mail: mailConfig(read, server),
    limits: {
      authPerMinute: read('RATE_LIMIT_AUTH_PER_MINUTE'),
      apiPerMinute: read('RATE_LIMIT_API_PER_MINUTE'),
      chatPerSecond: read('RATE_LIMIT_CHAT_PER_SECOND'),
      connectionsPerUser: read('MAX_CONNECTIONS_PER_USER'),
      loginThrottle: read('LOGIN_THROTTLE'),
    },
    quotas: {
      concurrentReplies: read('QUOTA_CONCURRENT_REPLIES'),
      tokensPerDay: read('QUOTA_TOKENS_PER_DAY'),
      costMicroUsdPerDay: read('QUOTA_COST_MICRO_USD_PER_DAY'),
    },
    chat: chatConfig(read),
    openai: { bodyMaxBytes: read('OPENAI_BODY_MAX_MB') * 1024 * 1024, heartbeatMs: read('OPENAI_HEARTBEAT') },
    ignored: NOT_YET.filter((name) => Boolean(env[name])),
    failpoints: readFailpoints(env, problems),
  };
  if (isProduction) problems.push(...productionProblems(config, hasEndpoint || Boolean(env.LLM_PROVIDER)));
  problems.push(...mailProblems(config));
  if (config.llm.provider === 'openrouter' && !hasEndpoint) {
    problems.push('LLM_PROVIDER=openrouter needs OPENROUTER_API_KEY or OPENROUTER_BASE_URL');
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(config);
};
