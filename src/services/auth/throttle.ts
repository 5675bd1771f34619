import { createHash } from 'node:crypto';
import { ipKey, userKey, type FailureGate } from '../limits/index.ts';
import type { DeviceTokens } from './devices.ts';

/** Where wrong guesses are counted; null where they are not (`LOGIN_THROTTLE=false`). */
export interface FailureGates {
  readonly account: FailureGate;
  readonly address: FailureGate;
}

/** One place where a guess counts. */
export interface Place {
  readonly gate: FailureGate;
  readonly key: string;
}

/** Somebody who wants to log in. */
export interface Guesser {
  /** As it was typed, and to whom it belongs, if to anybody. */
  readonly name: string;
  readonly userId: string | null;
  readonly ip: string;
  readonly deviceToken: string | undefined;
}

export interface Throttle {
  /** Where a login counts: on a device that its user logged in on before, there alone; else under the name and the address. */
  placesOf(guesser: Guesser): readonly Place[];
  /** Where the password of who is signed in already counts. */
  placesOfUser(userId: string): readonly Place[];
  /**
   * Where the second step of a login counts: as its first step does, and apart from it, so that a right password clears no
   * count of codes.
   */
  placesOfCodes(userId: string, client: Pick<Guesser, 'ip'> & Partial<Pick<Guesser, 'deviceToken'>>): readonly Place[];
  /** Where the codes of who is signed in already count. */
  placesOfUserCodes(userId: string): readonly Place[];
  /**
   * Runs a check of a password or code, unless there were too many wrong ones. With `counts: false` it was no guess.
   * @throws AppError `TOO_MANY_FAILURES`; what the check throws, which counts as no guess
   */
  attempt<T extends { readonly matches: boolean; readonly counts?: boolean }>(
    places: readonly Place[],
    check: () => Promise<T>,
  ): Promise<T>;
}

/** Names are counted as typed, whether they are anybody's or not: a refusal tells nothing. Not kept as text: some are passwords. */
const nameKey = (name: string): string => `name:${createHash('sha256').update(name.toLowerCase()).digest('base64url')}`;

/**
 * Slows down who guesses passwords (OWASP ASVS 5.0 §6.1.1, §6.3.1). Nobody can lock others out: their known devices have
 * counts of their own, and the wait for everybody else ends after 15 minutes at most.
 */
export const createThrottle = (gates: FailureGates | null, devices: DeviceTokens): Throttle => ({
  placesOf: ({ name, userId, ip, deviceToken }) => {
    if (!gates) return [];
    // The same work for a name that is nobody's.
    const device = devices.read(deviceToken, userId ?? '');
    if (device !== null && userId !== null) return [{ gate: gates.account, key: `device:${userId}:${device}` }];
    return [
      { gate: gates.account, key: nameKey(name) },
      { gate: gates.address, key: ipKey(ip) },
    ];
  },
  placesOfUser: (userId) => (gates ? [{ gate: gates.account, key: userKey(userId) }] : []),
  placesOfCodes: (userId, { ip, deviceToken }) => {
    if (!gates) return [];
    const device = devices.read(deviceToken, userId);
    if (device !== null) return [{ gate: gates.account, key: `codes:device:${userId}:${device}` }];
    return [
      { gate: gates.account, key: `codes:${userKey(userId)}` },
      { gate: gates.address, key: ipKey(ip) },
    ];
  },
  placesOfUserCodes: (userId) => (gates ? [{ gate: gates.account, key: `codes:signed-in:${userKey(userId)}` }] : []),
  attempt: async (places, check) => {
    const settles: Awaited<ReturnType<FailureGate['enter']>>[] = [];
    let outcome: 'right' | 'wrong' | 'unknown' = 'unknown';
    try {
      for (const { gate, key } of places) settles.push(await gate.enter(key));
      const result = await check();
      if (result.counts !== false) outcome = result.matches ? 'right' : 'wrong';
      return result;
    } finally {
      for (const settle of settles) await settle(outcome);
    }
  },
});
