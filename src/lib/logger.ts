import winston from 'winston';
import { requestContext } from './requestContext.ts';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines carry `component`. */
  child(component: string): Logger;
  /** Resolves when every line written so far has left the process. */
  flush(): Promise<void>;
}

/** Field names whose values never reach a log, whatever code passes them by mistake. */
const SECRET_FIELD = /password|secret|token|authorization|cookie|api[-_]?key|ticket|content|prompt|pepper/i;
const SAFE_FIELD = /tokens$/i;
/** Secrets that hide inside text, such as a driver's error message with its connection string. */
const SECRET_TEXT: readonly (readonly [RegExp, string])[] = [
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1***@'],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]+/gi, '$1 ***'],
  [/\bsk-[\w-]{8,}/g, 'sk-***'],
  [/\bparley_sk_\w+/g, 'parley_sk_***'],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]+/g, '***'],
];
const MAX_TEXT = 2000;
const MAX_DEPTH = 6;
const MAX_ITEMS = 50;

/** What is in every text with a secret: most have none of it, and need no further look. */
const SUSPICIOUS = /:\/\/|\b(?:Bearer|Basic)\s|sk[-_]|eyJ/i;

const cleanText = (text: string): string => {
  const short = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  if (!SUSPICIOUS.test(short)) return short;
  return SECRET_TEXT.reduce((out, [pattern, replacement]) => out.replace(pattern, replacement), short);
};

const describeError = (error: Error, depth: number): LogFields => ({
  name: error.name,
  message: cleanText(error.message),
  ...('code' in error && typeof error.code !== 'object' ? { code: error.code } : {}),
  stack: cleanText(error.stack ?? ''),
  ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
});

/** Names of fields that were looked at: nearly all are ours, and few; those of a stranger's object end the list once. */
const MAX_KNOWN_NAMES = 1000;
const knownNames = new Map<string, boolean>();

const isSecretName = (key: string): boolean => {
  const known = knownNames.get(key);
  if (known !== undefined) return known;
  const isSecret = SECRET_FIELD.test(key) && !SAFE_FIELD.test(key);
  if (knownNames.size < MAX_KNOWN_NAMES) knownNames.set(key, isSecret);
  return isSecret;
};

const isSecret = (key: string, value: unknown): boolean => typeof value !== 'number' && isSecretName(key);

const redactObject = (value: object, depth: number): unknown => {
  if (depth > MAX_DEPTH) return '…';
  if (Error.isError(value)) return describeError(value, depth);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => redact(item, depth + 1));
  const fields = Object.entries(value).map(([key, item]) => [
    key,
    isSecret(key, item) ? '***' : redact(item, depth + 1),
  ]);
  return Object.fromEntries(fields);
};

/** A copy that is safe to log: secrets masked, errors spelled out, depth and length bounded. */
export const redact = (value: unknown, depth = 0): unknown => {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value === 'bigint') return String(value);
  return value === null || typeof value !== 'object' ? value : redactObject(value, depth);
};

/** What all lines of a request say; from where it came is for the audit log only. */
const contextFields = (): LogFields => {
  const context = requestContext.get();
  if (!context) return {};
  const { client: _client, ...fields } = context;
  return fields;
};

/** Every value is a copy that `redact` made, so that winston's own JSON, which looks for cycles and sorts, has nothing to do. */
const jsonLine = winston.format.printf((info) => JSON.stringify(info));

/** The most serious first. */
const LEVELS: readonly string[] = ['error', 'warn', 'info', 'debug'];
/** Where winston's formats look for the level, and leave the line. */
const LEVEL = Symbol.for('level');
const MESSAGE = Symbol.for('message');

export interface LoggerOptions {
  readonly level: string;
  readonly service: string;
  /** JSON lines for machines, or short lines for a person at a terminal. */
  readonly format: 'json' | 'text';
  /** Where lines go; standard output unless told otherwise. */
  readonly stream?: NodeJS.WritableStream;
}

const textLine = winston.format.printf(({ timestamp, level, message, component = '', service: _service, ...rest }) => {
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const text = JSON.stringify(message).slice(1, -1);
  const parts = [
    String(timestamp).slice(11, 23),
    level.padEnd(5),
    JSON.stringify(component).slice(1, -1),
    text,
    ...fields,
  ];
  return parts.filter(Boolean).join(' ');
});

/** The process's logger. Redaction is part of it, so no caller can forget it. */
export const createLogger = (options: LoggerOptions): Logger => {
  const { format } = winston;
  const { service } = options;
  const stream = options.stream ?? process.stdout;
  const line = format.combine(format.timestamp(), options.format === 'json' ? jsonLine : textLine);
  /** Straight from format to stream: winston's own way between the two, a pipe of streams, costs as much again. */
  const write = (level: string, message: string, fields: LogFields): void => {
    const own = { level, message, service };
    // First to be read first, and last so that no field takes their place.
    const made = line.transform({ ...own, ...contextFields(), ...fields, ...own, [LEVEL]: level });
    if (typeof made === 'object') stream.write(`${String(made[MESSAGE])}\n`);
  };
  const wrap = (component: string | null): Logger => {
    const log = (level: string) => {
      if (LEVELS.indexOf(level) > LEVELS.indexOf(options.level)) return () => undefined;
      return (message: string, fields?: LogFields): void => {
        const safe = fields ? (redact(fields) as LogFields) : {};
        write(level, cleanText(message), component ? { component, ...safe } : safe);
      };
    };
    return {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      child: (name) => wrap(name),
      flush: () => new Promise((resolve) => stream.write('', () => resolve())),
    };
  };
  return wrap(null);
};
