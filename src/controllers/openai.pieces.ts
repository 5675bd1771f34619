/** The fields of something that a stream brings in pieces; nobody here has to know all of them. */
export type Fields = Readonly<Record<string, unknown>>;

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Texts of which each piece is more, even where two pieces are the same. */
const WRITTEN = new Set(['arguments', 'input', 'text', 'summary', 'data']);
/** Texts that are told whole, by some endpoints with every piece. */
const NAMES = new Set(['id', 'type', 'name', 'format']);

const joined = (name: string, held: string, more: string): string => {
  if (WRITTEN.has(name)) return held + more;
  // Nobody says what an unknown text is: one that differs is the rest of it.
  return held === '' || (held !== more && !NAMES.has(name)) ? held + more : held;
};

const mergeValue = (name: string, held: unknown, more: unknown): unknown => {
  if (more === null || more === undefined) return held;
  if (typeof held === 'string' && typeof more === 'string') return joined(name, held, more);
  return isFields(held) && isFields(more) ? mergePiece(held, more) : more;
};

/** One piece more of the same thing; fields that no piece has had before are kept as they come. */
const mergePiece = (held: Fields, more: Fields): Fields =>
  Object.fromEntries([
    ...Object.entries(held),
    ...Object.entries(more).map(([name, value]) => [name, mergeValue(name, held[name], value)] as const),
  ]);

/** Things that come in pieces, several at a time. */
export interface Pieces {
  add(pieces: readonly unknown[]): void;
  /** What has come so far, in the order in which it began. */
  whole(): readonly Fields[];
}

interface PiecesOptions {
  /** What a piece belongs to; null: to what came last. */
  readonly keyOf: (piece: Fields) => string | null;
  /** Whether it begins something new all the same. */
  readonly isOther: (held: Fields, piece: Fields) => boolean;
}

const createPieces = ({ keyOf, isOther }: PiecesOptions): Pieces => {
  const things: Fields[] = [];
  const places = new Map<string, number>();

  const add = (piece: unknown): void => {
    if (!isFields(piece)) return;
    const key = keyOf(piece);
    const place = key === null ? things.length - 1 : (places.get(key) ?? -1);
    const held = things[place];
    if (held !== undefined && !isOther(held, piece)) {
      things[place] = mergePiece(held, piece);
      return;
    }
    if (key !== null) places.set(key, things.length);
    things.push(piece);
  };

  return {
    add: (pieces) => pieces.forEach(add),
    whole: () => [...things],
  };
};

const textIn = (value: unknown, name: string): string => {
  const field = isFields(value) ? value[name] : undefined;
  return typeof field === 'string' ? field : '';
};

const isNamed = (call: Fields): boolean => textIn(call.function, 'name') !== '' || textIn(call.custom, 'name') !== '';

/** Some endpoints number every call 0, and others give each piece of a call another id: only both together begin a new one. */
const isOtherCall = (held: Fields, piece: Fields): boolean => {
  const id = textIn(piece, 'id');
  return id !== '' && textIn(held, 'id') !== '' && id !== held.id && isNamed(piece);
};

const numberOf = ({ index }: Fields): number => (typeof index === 'number' ? index : 0);

/** A call as it stands in a whole message: without its number, and with what every reader expects of a function's. */
const toWholeCall = ({ index: _index, ...call }: Fields): Fields => ({
  id: '',
  type: 'function',
  ...call,
  ...(isFields(call.function) ? { function: { name: '', arguments: '', ...call.function } } : {}),
});

/** Tool calls of every type: `index` says which one goes on. */
export const createToolCalls = (): Pieces => {
  const pieces = createPieces({ keyOf: (piece) => String(numberOf(piece)), isOther: isOtherCall });
  return {
    ...pieces,
    whole: () => [...pieces.whole()].sort((a, b) => numberOf(a) - numberOf(b)).map(toWholeCall),
  };
};

/**
 * OpenRouter's `reasoning_details` (openrouter.ai/docs, "Reasoning tokens"): a piece goes on with what has its index and
 * type. Without an index only a thought in words goes on, and what is encrypted is whole.
 */
export const createDetails = (): Pieces =>
  createPieces({
    keyOf: (piece) => (typeof piece.index === 'number' ? `${String(piece.index)} ${textIn(piece, 'type')}` : null),
    isOther: (held, piece) =>
      typeof piece.index !== 'number' && ('data' in piece || textIn(held, 'type') !== textIn(piece, 'type')),
  });
