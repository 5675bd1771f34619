/** How far a full read has come: in the chats by creation, then in the messages by chat and `seq`. Null: at the beginning. */
export interface Scan {
  readonly in: 'chats' | 'messages';
  readonly after: { readonly number: number; readonly id: string } | null;
}

/** How far a reader has come. */
export interface SyncPosition {
  /** The reader has every change set up to this number, and the first `skip` references of the one behind it. */
  readonly number: number;
  readonly skip: number;
  /** What is still to be read before the sets; null when the full read is over. */
  readonly scan: Scan | null;
}

const PATTERN = /^m(\d{1,15})\.(\d{1,6})(?:\.([cm])(?:\.(\d{1,15})\.([\w-]{1,64}))?)?$/;

export const writePosition = ({ number, skip, scan }: SyncPosition): string => {
  const parts = scan ? [scan.in.charAt(0), ...(scan.after ? [scan.after.number, scan.after.id] : [])] : [];
  return `m${[number, skip, ...parts].join('.')}`;
};

/** Null when it is no position of ours. It may come from a client, so nothing but numbers and an id gets out of it. */
export const readPosition = (text: string): SyncPosition | null => {
  const [match, number, skip, part, afterNumber, id] = PATTERN.exec(text) ?? [];
  if (match === undefined) return null;
  const after = id === undefined ? null : { number: Number(afterNumber), id };
  const scan: Scan | null = part === undefined ? null : { in: part === 'c' ? 'chats' : 'messages', after };
  return { number: Number(number), skip: Number(skip), scan };
};
