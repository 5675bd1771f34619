import { randomBytes } from 'node:crypto';
import { formsOf } from './forms.ts';

/**
 * What this test file must never see in a log, an error or a metric, and every such text that it has seen. One for each test
 * file: jest loads this module anew for each.
 */
export interface SecretWatch {
  /** A secret from now on, in all its forms; short ones are left out, since they occur by chance. */
  addSecret(name: string, secret: string): void;
  /** An opaque credential of base64url that a server gave out: looked for as it is, so there may be thousands. */
  addCredential(name: string, credential: string): void;
  /** Text that the world may read: it is searched when the file ends. @param source where it came from */
  see(source: string, text: string): void;
  /** Something still to look at when the file ends, unless its owner has done so before. @returns does it now, once */
  addLast(look: () => Promise<void>): () => Promise<void>;
  /** Each secret that was seen, with where and what stands around it. The secret itself is in no line. */
  leaks(): string[];
  /** Looks at what is left and searches everything; what is seen later is searched at once, and told to `onLate`. */
  finish(onLate: (leaks: readonly string[]) => void): Promise<string[]>;
  readonly counts: { readonly characters: number; readonly secrets: number };
}

const SHORTEST_SECRET = 8;
/** As many characters of a credential are enough to know it by; a leak that is cut behind them is a leak. */
const KNOWN_BY = 32;
/** Credentials that can be told by their looks, whoever made them. */
const PATTERNS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['a JWT', /\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{16,}/],
  ['an API key', /\bparley_sk_\w{20,}/],
  ['credentials in an address', /\b[a-z][a-z0-9+.-]*:\/\/[^\s/@"':]+:(?!\*\*\*@)[^\s/@"]+@/i],
];
const CREDENTIAL_RUN = new RegExp(`[\\w-]{${String(KNOWN_BY)},}`, 'g');

const around = (text: string, at: number, secret: string): string =>
  text
    .slice(Math.max(0, at - 60), at + secret.length + 40)
    .replaceAll(secret, '<secret>')
    .replaceAll('\n', ' ');

export const createSecretWatch = (): SecretWatch => {
  const secrets = new Map<string, string>();
  const credentials = new Map<string, string>();
  const texts = new Map<string, string[]>();
  const last = new Set<() => Promise<void>>();
  let tellLate: ((leaks: readonly string[]) => void) | null = null;

  const leaksIn = (source: string, text: string): string[] => {
    const told = (name: string, found: string): string =>
      `${name} in ${source}: …${around(text, text.indexOf(found), found)}…`;
    const bySecret = [...secrets].flatMap(([form, name]) => (text.includes(form) ? [told(name, form)] : []));
    const byPattern = PATTERNS.flatMap(([name, pattern]) => {
      const found = pattern.exec(text)?.[0];
      return found === undefined ? [] : [told(name, found)];
    });
    const byCredential = (text.match(CREDENTIAL_RUN) ?? []).flatMap((run) => {
      const name = credentials.get(run.slice(0, KNOWN_BY));
      return name === undefined ? [] : [told(name, run)];
    });
    return [...bySecret, ...byPattern, ...byCredential];
  };

  const leaks = (): string[] => [
    ...new Set([...texts].flatMap(([source, parts]) => leaksIn(source, parts.join('\n')))),
  ];

  return {
    addSecret: (name, secret) => {
      if (secret.length < SHORTEST_SECRET) return;
      for (const form of formsOf(secret)) if (!secrets.has(form)) secrets.set(form, name);
    },
    addCredential: (name, credential) => {
      if (credential.length >= KNOWN_BY) credentials.set(credential.slice(0, KNOWN_BY), name);
    },
    see: (source, text) => {
      if (tellLate) {
        const late = leaksIn(source, text);
        if (late.length > 0) tellLate(late);
        return;
      }
      const seen = texts.get(source) ?? [];
      texts.set(source, seen);
      seen.push(text);
    },
    addLast: (look) => {
      const once = async (): Promise<void> => {
        if (last.delete(once)) await look();
      };
      last.add(once);
      return once;
    },
    leaks,
    finish: async (onLate) => {
      for (const look of last) await look();
      tellLate = onLate;
      return leaks();
    },
    get counts() {
      const parts = [...texts.values()].flat();
      return {
        characters: parts.reduce((sum, part) => sum + part.length, 0),
        secrets: new Set(secrets.values()).size + credentials.size,
      };
    },
  };
};

/** The one of this test file. */
export const secretWatch = createSecretWatch();

/** A secret that nobody else has, with signs in it that every encoding writes differently. */
export const newCanary = (name: string): string => `${name}~${randomBytes(9).toString('base64url')}+"é/ Z9a`;
