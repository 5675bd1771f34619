import type { Logger } from './logger.ts';

/** The order in which a node lets go of things: nobody new, then what runs, then the wires, then the stores. */
export const PHASES = ['admission', 'replies', 'sockets', 'http', 'background', 'stores'] as const;
export type Phase = (typeof PHASES)[number];

export interface Lifecycle {
  /** Whether shutdown has begun; doors answer `SHUTTING_DOWN` from then on. */
  isClosing(): boolean;
  /** Registers a closer. Within a phase the last opened is closed first. */
  onClose(phase: Phase, name: string, close: () => Promise<void> | void): void;
  /** Runs every phase once, however often it is called; a closer that throws or hangs does not stop the next. */
  close(): Promise<void>;
}

interface Closer {
  readonly phase: Phase;
  readonly name: string;
  readonly close: () => Promise<void> | void;
}

const withDeadline = async (work: Promise<void> | void, deadlineMs: number): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not closed after ${String(deadlineMs)} ms`)), deadlineMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/**
 * @param deadlines milliseconds that each phase's closers may take; a closer that is late is logged and left behind.
 */
export const createLifecycle = (logger: Logger, deadlines: Readonly<Record<Phase, number>>): Lifecycle => {
  const log = logger.child('lifecycle');
  const closers: Closer[] = [];
  let closing: Promise<void> | null = null;

  const closeOne = async (closer: Closer): Promise<void> => {
    const startedAt = Date.now();
    try {
      await withDeadline(closer.close(), deadlines[closer.phase]);
      log.debug('closed', { name: closer.name, durationMs: Date.now() - startedAt });
    } catch (error) {
      log.error('could not close', { name: closer.name, phase: closer.phase, err: error });
    }
  };

  const closeAll = async (): Promise<void> => {
    for (const phase of PHASES) {
      for (const closer of closers.filter((item) => item.phase === phase).reverse()) await closeOne(closer);
    }
  };

  return {
    isClosing: () => closing !== null,
    onClose: (phase, name, close) => {
      closers.push({ phase, name, close });
    },
    close: () => (closing ??= closeAll()),
  };
};
