import { z } from 'zod';
import type { Config } from '../../../config/index.ts';
import type { Clock } from '../../../lib/clock.ts';
import { createSecretBox } from '../secretBox.ts';

/** Something that is given to others to keep for a while: they can neither read nor change it, and any node can open it. */
export interface Seal<T> {
  readonly ttlMs: number;
  seal(content: T): string;
  /** Null: not ours, of another kind, changed, or too old. */
  open(text: string | undefined): T | null;
}

export interface SealOptions<T> {
  /** What is sealed as one kind is no good as another. */
  readonly kind: string;
  readonly ttlMs: number;
  readonly content: z.ZodType<T>;
}

type Secrets = Pick<Config['auth'], 'jwtSecret' | 'jwtSecretPrevious'>;

export const createSeal = <T>(secrets: Secrets, clock: Clock, options: SealOptions<T>): Seal<T> => {
  const { kind, ttlMs } = options;
  const box = createSecretBox(secrets, kind);
  const envelope = z.object({ until: z.number(), content: options.content });
  return {
    ttlMs,
    seal: (content) => box.seal(JSON.stringify({ until: clock.now() + ttlMs, content }), ''),
    open: (text) => {
      const json = text === undefined ? null : box.open(text, '');
      if (json === null) return null;
      const { until, content } = envelope.parse(JSON.parse(json));
      return until > clock.now() ? content : null;
    },
  };
};
