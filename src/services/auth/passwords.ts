import { createHmac, randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { Config } from '../../config/index.ts';
import { AppError } from '../../lib/errors.ts';
import type { Lifecycle } from '../../lib/lifecycle.ts';
import { readStoredHash } from './foreignHash.ts';
import type { PasswordTask } from './password.worker.ts';

/**
 * Whose password work it is. `known`: somebody who has shown more than a name (a known device, a login, the right password);
 * `open`: anybody. Each has threads and a queue of its own: who guesses under many names keeps no owner waiting.
 */
export type Lane = 'known' | 'open';

export interface Passwords {
  /** A new `scheme$hash` for storage. @throws AppError `RATE_LIMITED` when too many of the lane wait */
  hash(password: string, lane?: Lane): Promise<string>;
  /**
   * Whether a password belongs to a stored hash. Null, for a user that does not exist, costs the same work and never matches.
   * `needsRehash`: it matches, and today's settings would store it otherwise.
   * @throws AppError `RATE_LIMITED` when too many of the lane wait
   */
  verify(password: string, stored: string | null, lane?: Lane): Promise<{ matches: boolean; needsRehash: boolean }>;
  /** Tasks that the workers have done, for tests and curious operators. */
  completed(): number;
}

/** Half the cores of a small machine stay with the event loop; more than four threads only wait for each other's caches. */
const threads = (): number => Math.max(1, Math.min(4, availableParallelism() - 1));
/** At cost 12 (~0.3 s each) the last in the queue waits about as long as a client would. */
const QUEUE_PER_THREAD = 32;
const OVERLOAD_RETRY_MS = 2000;
/**
 * How far the threads stand back for the event loop when cores are short (nice values of Linux). Guesses by the dozen then slow
 * down running replies little (docs/benchmarks.md, login flood), and owners pass them: beside a busy core a thread at 19 has
 * a seventieth of it, one at 10 a tenth (the kernel's weights, sched(7)).
 */
const STAND_BACK: Readonly<Record<Lane, number>> = { known: 10, open: 19 };

/** Without a pepper the key is public: what is hashed has one form either way, and a pepper can be added later. */
const PUBLIC_KEY = 'parley password v1';
const BCRYPT_ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A well-formed bcrypt hash of nothing: 22 characters of salt, 31 of digest, all by chance. */
const decoyHash = (cost: number): string => {
  const chars = Array.from({ length: 53 }, () => BCRYPT_ALPHABET.charAt(randomInt(BCRYPT_ALPHABET.length)));
  return `$2b$${String(cost).padStart(2, '0')}$${chars.join('')}`;
};

const costOf = (hash: string): number => Number(/^\$2[aby]\$(\d\d)\$/.exec(hash)?.[1] ?? NaN);

/** @throws AppError `RATE_LIMITED` when too many wait */
type Run = (task: PasswordTask) => Promise<string | boolean>;

const createLane = (
  lifecycle: Lifecycle,
  minThreads: number,
): { readonly run: Run; readonly completed: () => number } => {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const maxThreads = threads();
  const maxWaiting = QUEUE_PER_THREAD * maxThreads;
  const pool = new Piscina<PasswordTask, string | boolean>({
    filename: fileURLToPath(new URL(`./password.worker.${extension}`, import.meta.url)),
    minThreads,
    maxThreads,
    idleTimeout: 30_000,
    // The workers need nothing from the environment, so no secret is copied into them.
    env: {},
  });
  lifecycle.onClose('background', 'password workers', () => pool.destroy());
  return {
    run: (task) => {
      if (pool.queueSize >= maxWaiting) {
        throw new AppError('RATE_LIMITED', { detail: 'Too many logins at once', retryAfterMs: OVERLOAD_RETRY_MS });
      }
      return pool.run(task);
    },
    completed: () => pool.completed,
  };
};

/**
 * Hashes passwords in a small pool of threads: bcryptjs on the event loop stalls every stream (facts §0.2).
 * Stored is `scheme$hash`; the hash is bcrypt over the base64 HMAC-SHA-384 of the NFKC text, 64 characters, so that nothing
 * is cut at 72 bytes (OWASP Password Storage). The scheme names the HMAC's key: `bcrypt-hmac` the public one,
 * `bcrypt-pepper` the pepper.
 */
export const createPasswords = (
  config: Pick<Config['auth'], 'bcryptCost' | 'passwordPepper'> & { readonly standsBack?: boolean },
  lifecycle: Lifecycle,
): Passwords => {
  // Anybody's first login needs a thread of the open lane: one is always there.
  const lanes = { known: createLane(lifecycle, 0), open: createLane(lifecycle, 1) };
  const { bcryptCost: cost, passwordPepper } = config;
  const keys = new Map([['bcrypt-hmac', PUBLIC_KEY]]);
  if (passwordPepper !== null) keys.set('bcrypt-pepper', passwordPepper);
  const scheme = passwordPepper === null ? 'bcrypt-hmac' : 'bcrypt-pepper';
  const decoy = decoyHash(cost);

  const digest = (password: string, keyScheme: string): string =>
    createHmac('sha384', keys.get(keyScheme) ?? PUBLIC_KEY)
      .update(password.normalize('NFKC'))
      .digest('base64');

  /**
   * What a wrong guess at a hash of lower cost c is padded with: 2^c and then the sum of 2^c … 2^(cost-1) is 2^cost, so that
   * it takes as long as one at an unknown user.
   */
  const cheaperThan = (hash: string): string[] => {
    const lowest = costOf(hash);
    return Array.from({ length: Math.max(0, cost - lowest) }, (_, index) => decoyHash(lowest + index));
  };

  /** What bcrypt is to compare, and whether today's settings would store it so. */
  const targetOf = (password: string, stored: string | null): { hash: string; input: string; isToday: boolean } => {
    const known = stored === null ? null : readStoredHash(stored);
    if (known?.scheme === 'bcrypt') return { hash: known.hash, input: password, isToday: false };
    // A hash under a key that is gone is nobody's, and costs what an unknown user costs.
    if (!known || !keys.has(known.scheme)) return { hash: decoy, input: digest(password, scheme), isToday: true };
    const isToday = known.scheme === scheme && costOf(known.hash) === cost;
    return { hash: known.hash, input: digest(password, known.scheme), isToday };
  };

  const niceOf = (lane: Lane): number => (config.standsBack ? STAND_BACK[lane] : 0);

  return {
    hash: async (password, lane = 'open') => {
      const hash = await lanes[lane].run({ nice: niceOf(lane), kind: 'hash', input: digest(password, scheme), cost });
      return `${scheme}$${String(hash)}`;
    },
    verify: async (password, stored, lane = 'open') => {
      const { hash, input, isToday } = targetOf(password, stored);
      const decoys = cheaperThan(hash);
      const isEqual = await lanes[lane].run({ nice: niceOf(lane), kind: 'verify', input, hash, decoys });
      const matches = isEqual === true && hash !== decoy;
      return { matches, needsRehash: matches && !isToday };
    },
    completed: () => lanes.known.completed() + lanes.open.completed(),
  };
};
