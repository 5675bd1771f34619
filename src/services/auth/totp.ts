import { generateSecret, generateURI, verifySync } from 'otplib';

/** What every authenticator app can do (RFC 6238 with SHA-1, six digits, 30 seconds); others ignore any other setting. */
const PERIOD_SECONDS = 30;
const SECRET_BYTES = 20;

/** A shared secret of 160 random bits (RFC 4226 §4, R6), in base32. */
export const newTotpSecret = (): string => generateSecret({ length: SECRET_BYTES });

/** The address that an authenticator reads from a QR code. */
export const otpauthUri = (secret: string, issuer: string, username: string): string =>
  generateURI({ issuer, label: username, secret });

/**
 * The time step of which a code is, compared in constant time: the present one or a neighbour, for clocks that differ by less
 * than half a minute and people who type slowly (RFC 6238 §5.2). Null: none of these.
 * @param now milliseconds, of the server's clock
 */
export const stepOfCode = (secret: string, code: string, now: number): number | null => {
  const epoch = Math.floor(now / 1000);
  const result = verifySync({ secret, token: code, epoch, period: PERIOD_SECONDS, epochTolerance: PERIOD_SECONDS });
  return result.valid && 'timeStep' in result ? result.timeStep : null;
};
