import type { LlmPart } from './provider.ts';

/** Parts between the socket that brings them and the consumer that takes them. */
export interface PartQueue {
  push(part: LlmPart): void;
  /** Everything that waits. */
  take(): LlmPart[];
  /** Characters that wait, about. */
  size(): number;
  /** No more parts come; what waits is still delivered, then the error is thrown, if there is one. */
  close(error?: Error): void;
  isClosed(): boolean;
  /** Resolves when there is something to take, or nothing more to wait for. @throws what it was closed with */
  ready(): Promise<boolean>;
}

/** When the consumer of what was pushed is woken; at once unless told. */
type Schedule = (wake: () => void) => void;

/** So much text is worth a step of its own, however soon the consumer would be woken. */
const MAX_GATHERED_CHARS = 16 * 1024;

/** Plain text, which is one with its neighbour. */
const isText = (part: LlmPart): part is Extract<LlmPart, { readonly text: string }> =>
  part.type === 'delta' || part.type === 'refusal' || (part.type === 'reasoning' && part.details === undefined);

/** Whatever is in it may be long: arguments of a call, a picture. */
const sizeOf = (part: LlmPart): number => (isText(part) ? part.text.length : JSON.stringify(part).length);

/**
 * Neighbouring pieces of text become one part: what one network read brought, or what piled up while the consumer was
 * busy or waited for its turn, costs the consumer one step.
 */
export const createPartQueue = (schedule: Schedule = (wake) => wake()): PartQueue => {
  let parts: LlmPart[] = [];
  let size = 0;
  let isClosed = false;
  let failure: Error | null = null;
  let wake: (() => void) | null = null;
  let isScheduled = false;

  const notify = (): void => {
    isScheduled = false;
    wake?.();
    wake = null;
  };

  /** Whoever is not waiting finds what there is when it comes. */
  const announce = (): void => {
    if (wake === null) return;
    if (size >= MAX_GATHERED_CHARS) {
      notify();
    } else if (!isScheduled) {
      isScheduled = true;
      schedule(notify);
    }
  };

  return {
    push: (part) => {
      const last = parts.at(-1);
      size += sizeOf(part);
      if (last !== undefined && isText(part) && isText(last) && last.type === part.type)
        parts[parts.length - 1] = { type: part.type, text: last.text + part.text };
      else parts.push(part);
      announce();
    },
    take: () => {
      const taken = parts;
      parts = [];
      size = 0;
      return taken;
    },
    size: () => size,
    close: (error) => {
      if (isClosed) return;
      isClosed = true;
      failure = error ?? null;
      notify();
    },
    isClosed: () => isClosed,
    ready: async () => {
      // Whoever is woken may come too late for what it was woken for.
      while (parts.length === 0 && !isClosed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (parts.length > 0) return true;
      if (failure) throw failure;
      return false;
    },
  };
};
