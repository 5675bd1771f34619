import { ServerResponse } from 'node:http';
import winston from 'winston';
import { VARIABLES } from '../../../src/config/env.schema.ts';
import { secretWatch } from './watch.ts';

/** Fields of answers, whose values let somebody in. */
const CREDENTIAL_FIELD =
  /"(accessToken|refreshToken|deviceToken|ticket|access_token|refresh_token|device_token|token|mfaToken|setupToken|secret)":"([^"]+)"/g;
const RECOVERY_CODES = /"recoveryCodes":\[([^\]]*)\]/;
/** What is looked at of an answer: an answer with credentials is short, a longer one is a page or a list. */
const LONGEST_ANSWER = 16_384;
const MESSAGE = Symbol.for('message');

type End = ServerResponse['end'];

const lookAtCookies = (response: ServerResponse): void => {
  for (const cookie of [response.getHeader('Set-Cookie') ?? []].flat()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(String(cookie)) ?? [];
    secretWatch.addCredential(`cookie ${name}`, value);
  }
};

const lookAt = (response: ServerResponse, body: string): void => {
  if (response.statusCode >= 400) {
    secretWatch.see('the body of an error', body);
    return;
  }
  for (const [, name = '', value = ''] of body.matchAll(CREDENTIAL_FIELD)) secretWatch.addCredential(name, value);
  for (const code of RECOVERY_CODES.exec(body)?.[1]?.match(/[\w-]+/g) ?? [])
    secretWatch.addSecret('a recovery code', code);
  lookAtCookies(response);
};

/** Every logger formats its lines with a combination of winston's formats, wherever it writes them. */
const tapLoggers = (): void => {
  const { combine } = winston.format;
  const tapped: typeof combine = (...formats) => {
    const format = combine(...formats);
    const transform = format.transform.bind(format);
    format.transform = (info, options) => {
      const line = transform(info, options);
      if (typeof line === 'object') secretWatch.see('the log', String(line[MESSAGE]));
      return line;
    };
    return format;
  };
  Object.defineProperty(winston.format, 'combine', { value: tapped });
};

/**
 * Listens in this process: to every line of every logger, however it was made and wherever it goes, and to the answers of our
 * own servers (the simulator's have no request id): errors are searched, credentials in the others are secrets from then on.
 * @returns what takes the taps out of `node:http` again, which all test files of a worker share
 */
export const openTaps = (): (() => void) => {
  tapLoggers();
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the answer's own `this` below
  const { end } = ServerResponse.prototype;
  ServerResponse.prototype.end = function tapped(this: ServerResponse, ...args: Parameters<End>) {
    const [chunk] = args as unknown[];
    const isOurs = this.hasHeader('X-Request-Id');
    if (isOurs && (typeof chunk === 'string' || chunk instanceof Uint8Array) && chunk.length <= LONGEST_ANSWER) {
      lookAt(this, typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
    }
    return end.apply(this, args);
  } as End;
  return () => {
    ServerResponse.prototype.end = end;
  };
};

/** The password of an address such as `mongodb://user:password@host`; empty without one. */
const passwordIn = (value: string): string => {
  const password = /^[a-z+]+:\/\/[^:/@]*:([^@/]+)@/.exec(value)?.[1] ?? '';
  return /^(?:[^%]|%[0-9a-f]{2})*$/i.test(password) ? decodeURIComponent(password) : password;
};

/** The secrets among the variables that a server is started with. */
export const watchEnv = (env: Readonly<Record<string, string | undefined>>): void => {
  for (const [name, { isSecret }] of Object.entries(VARIABLES)) {
    const value = env[name];
    if (!isSecret || !value) continue;
    secretWatch.addSecret(name, /^[a-z+]+:\/\//.test(value) ? passwordIn(value) : value);
  }
  for (const [name, value = ''] of Object.entries(env)) {
    if (name.endsWith('_CLIENT_SECRET')) secretWatch.addSecret(name, value);
  }
};

/** What was asked of a model: texts of messages, which stand in no log. So many are enough. */
const MOST_MESSAGES = 50;
const SHORTEST_MESSAGE = 12;

export const watchMessages = (texts: Iterable<string>): void => {
  const distinct = new Set([...texts].filter((text) => text.length >= SHORTEST_MESSAGE));
  for (const text of [...distinct].slice(0, MOST_MESSAGES)) secretWatch.addSecret('the text of a message', text);
};
