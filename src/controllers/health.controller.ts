import type { Request, Response } from 'express';

export interface HealthControllerOptions {
  /** Resolves when the database answers. */
  readonly ping: () => Promise<void>;
  readonly isClosing: () => boolean;
}

/** Milliseconds for which one look at the database serves all who ask: a probe must not be a load. */
const PING_CACHE_MS = 1_000;
/** Milliseconds that the database may take to answer a probe. */
const PING_TIMEOUT_MS = 500;

const within = (work: Promise<void>, ms: number): Promise<boolean> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    work
      .then(
        () => resolve(true),
        () => resolve(false),
      )
      .finally(() => clearTimeout(timer));
  });

export const createHealthController = ({ ping, isClosing }: HealthControllerOptions) => {
  let last: { readonly at: number; readonly result: Promise<boolean> } | null = null;

  const isDatabaseUp = (): Promise<boolean> => {
    const now = Date.now();
    if (!last || now - last.at > PING_CACHE_MS) last = { at: now, result: within(ping(), PING_TIMEOUT_MS) };
    return last.result;
  };

  return {
    /** Whether the process is alive; touches nothing else, so that a database outage restarts no node. */
    live: (_req: Request, res: Response): void => {
      res.json({ status: 'ok' });
    },
    /** Whether the node should get traffic. */
    ready: async (_req: Request, res: Response): Promise<void> => {
      const checks = { database: (await isDatabaseUp()) ? 'up' : 'down', accepting: !isClosing() };
      const isReady = checks.database === 'up' && checks.accepting;
      res.status(isReady ? 200 : 503).json({ status: isReady ? 'ok' : 'unavailable', checks });
    },
  };
};

export type HealthController = ReturnType<typeof createHealthController>;
