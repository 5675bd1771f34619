import type { Usage } from '../../models/entities.ts';

const sum = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined && b === undefined ? undefined : (a ?? 0) + (b ?? 0);

/** What several models used for one answer, together. */
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
