import type { Segment, Usage } from '../../models/entities.ts';

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

const sum = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);

/** What several models used for one reply, together. */
export const addUsage = (a: Usage | null, b: Usage): Usage => {
  if (a === null) return b;
  const reasoningTokens = sum(a.reasoningTokens, b.reasoningTokens);
  const cachedTokens = sum(a.cachedTokens, b.cachedTokens);
  const costMicroUsd = sum(a.costMicroUsd, b.costMicroUsd);
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    totalTokens: a.totalTokens + b.totalTokens,
    ...(reasoningTokens === undefined ? {} : { reasoningTokens }),
    ...(cachedTokens === undefined ? {} : { cachedTokens }),
    ...(costMicroUsd === undefined ? {} : { costMicroUsd }),
    ...(a.estimated || b.estimated ? { estimated: true } : {}),
  };
};
