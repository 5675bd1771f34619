/** Something that must not be, with one example of it. */
export interface Finding {
  readonly what: string;
  readonly example: string;
}

export interface Findings {
  readonly add: (what: string, example: string) => void;
  readonly all: () => readonly (Finding & { readonly count: number })[];
  readonly print: (say: (line: string) => void) => void;
}

/** Collects findings; the same thing again is only counted. */
export const createFindings = (): Findings => {
  const seen = new Map<string, { count: number; example: string }>();
  const all = () => [...seen].map(([what, rest]) => ({ what, ...rest }));
  return {
    add: (what, example) => {
      const known = seen.get(what);
      if (known) known.count += 1;
      else seen.set(what, { count: 1, example });
    },
    all,
    print: (say) => {
      for (const { what, count, example } of all())
        say(`  ! ${what} (${String(count)}×)\n    ${example.slice(0, 600)}`);
    },
  };
};

export interface Counts<K extends string = string> {
  readonly add: (key: K, by?: number) => void;
  readonly get: (key: K) => number;
  readonly entries: () => readonly (readonly [K, number])[];
}

export const createCounts = <K extends string = string>(): Counts<K> => {
  const counts = new Map<K, number>();
  return {
    add: (key, by = 1) => void counts.set(key, (counts.get(key) ?? 0) + by),
    get: (key) => counts.get(key) ?? 0,
    entries: () => [...counts].sort(([a], [b]) => a.localeCompare(b)),
  };
};
