import type { Segment } from '../../models/entities.ts';

/** Who writes a reply from where on. */
export type Writer = Pick<Segment, 'model' | 'from' | 'reason'>;

/** Another writer takes the place of one that wrote nothing. */
export const withWriter = (writers: readonly Writer[], next: Writer): readonly Writer[] => [
  ...writers.filter(({ from }) => from < next.from),
  next,
];

/** Which model wrote which part of a reply; null where one wrote all of it. */
export const segmentsOf = (writers: readonly Writer[], length: number): readonly Segment[] | null => {
  const segments = writers
    .map((writer, index) => ({ ...writer, to: writers[index + 1]?.from ?? length }))
    .filter(({ from, to }) => to > from);
  return segments.length > 1 ? segments.map(({ model, from, to, reason }) => ({ model, from, to, reason })) : null;
};
