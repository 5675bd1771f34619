import type { Config } from './config.types.ts';

const KEY_BYTES = 32;
/** As for every password (contract). */
const PASSWORD_CHARS = 8;
/** Fewer different characters than any 32 bytes that were made by chance and written as hex have. */
const DISTINCT_CHARS = 8;

/** Texts of instructions, and what people type to get on. Long enough that chance does not write them. */
const EXAMPLE =
  /change.?(me|it|this)|example|placeholder|replace.?(me|this)|insert.?here|secret|password|passw0rd|your[-_ ]|<[^>]*>|\.\.\.|x{6}|qwerty|letmein|123456|abcdef/i;

const isRepeated = (secret: string): boolean => /^(.+?)\1+$/s.test(secret) || new Set(secret).size < DISTINCT_CHARS;

/** Keys, which nobody types: made by chance, or they can be guessed offline from one token. */
const keyProblem = (key: string): string | null => {
  if (Buffer.byteLength(key) < KEY_BYTES || EXAMPLE.test(key)) {
    return `must have at least ${String(KEY_BYTES)} bytes and not be an example: openssl rand -base64 48`;
  }
  return isRepeated(key) ? 'must not repeat itself: openssl rand -base64 48' : null;
};

const passwordProblem = (password: string, username: string): string | null => {
  if ([...password].length < PASSWORD_CHARS) return `must have at least ${String(PASSWORD_CHARS)} characters`;
  const isName = username !== '' && password.toLowerCase().includes(username.toLowerCase());
  if (isName || EXAMPLE.test(password)) return 'must not be an example, nor hold the user’s name';
  return isRepeated(password) ? 'must not repeat itself' : null;
};

/** Secrets that others gave out: only what cannot be one is refused. */
const foreignProblem = (secret: string): string | null =>
  EXAMPLE.test(secret) || /^(.)\1*$/s.test(secret) ? 'must not be an example' : null;

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** User and password of an address such as `mongodb://user:password@host`; null without a password. */
const credentialsIn = (address: string | null): { readonly username: string; readonly password: string } | null => {
  const [, username, password] = /^[a-z+]+:\/\/([^:/@]*):([^@]*)@/.exec(address ?? '') ?? [];
  return username === undefined || password === undefined
    ? null
    : { username: decoded(username), password: decoded(password) };
};

interface Secret {
  readonly name: string;
  readonly value: string | null;
  readonly problemOf: (value: string) => string | null;
}

const inAddress = (name: string, address: string | null): Secret => {
  const credentials = credentialsIn(address);
  return {
    name: `the password in ${name}`,
    value: credentials?.password ?? null,
    problemOf: (password) => passwordProblem(password, credentials?.username ?? ''),
  };
};

const secretsOf = ({ auth, oidc, llm, database, mail }: SecretConfig): readonly Secret[] => [
  { name: 'JWT_SECRET', value: auth.jwtSecret, problemOf: keyProblem },
  { name: 'JWT_SECRET_PREVIOUS', value: auth.jwtSecretPrevious, problemOf: keyProblem },
  { name: 'PASSWORD_PEPPER', value: auth.passwordPepper, problemOf: keyProblem },
  {
    name: 'ADMIN_PASSWORD',
    value: auth.admin.password,
    problemOf: (password) => passwordProblem(password, auth.admin.username),
  },
  inAddress('MONGODB_URI', database.mongodbUri),
  inAddress('SMTP_URL', mail.smtpUrl),
  // Endpoints of one's own take any key, such as `ollama`: it need not be long.
  { name: 'OPENROUTER_API_KEY', value: llm.apiKey, problemOf: foreignProblem },
  ...oidc.providers.map(({ id, clientSecret }) => ({
    name: `OIDC_${id.toUpperCase().replaceAll('-', '_')}_CLIENT_SECRET`,
    value: clientSecret,
    problemOf: foreignProblem,
  })),
];

type SecretConfig = Pick<Config, 'auth' | 'oidc' | 'llm' | 'database' | 'mail'>;

/**
 * Secrets that a production server must not be started with: short ones, examples, repeated characters, and one secret in
 * two places, since whoever learns it in the one has the other. A line each, which never holds the value.
 */
export const secretProblems = (config: SecretConfig): string[] => {
  const set = secretsOf(config).flatMap((secret) =>
    secret.value === null ? [] : [{ ...secret, value: secret.value }],
  );
  const weak = set.flatMap(({ name, value, problemOf }) => {
    const problem = problemOf(value);
    return problem === null ? [] : [`${name} ${problem}`];
  });
  const shared = set.flatMap(({ name, value }, index) =>
    set.slice(index + 1).flatMap((other) => (other.value === value ? [`${name} and ${other.name} must differ`] : [])),
  );
  return [...weak, ...shared];
};
