import type { Logger } from '../../lib/logger.ts';
import type { RotatedModel } from './modelPool.ts';
import type { LlmProvider, OfferedModel } from './provider.ts';
import { ProviderError } from './provider.ts';
import type { Candidate } from './rotation.ts';

/** A start does not wait longer for a catalogue. */
const CHECK_TIMEOUT_MS = 5000;
/** OpenRouter's variants that every model has and that its catalogue does not list (openrouter.ai/docs, "Model variants"). */
const UNLISTED_VARIANT = /:(nitro|floor|online|exacto)$/;

const findOffered = (slug: string, offered: ReadonlyMap<string, OfferedModel>): OfferedModel | null =>
  offered.get(slug) ??
  offered.get(slug.replace(UNLISTED_VARIANT, '')) ??
  // Ollama's name for a model without a tag.
  offered.get(`${slug}:latest`) ??
  null;

const listOffered = async (provider: CatalogueSource, logger: Logger): Promise<readonly OfferedModel[]> => {
  try {
    return await provider.listModels(AbortSignal.timeout(CHECK_TIMEOUT_MS));
  } catch (error) {
    const isWithoutList = error instanceof ProviderError && error.kind === 'not_found';
    if (isWithoutList) logger.debug('the model endpoint has no list of models: the rotation is not checked');
    else logger.warn('the list of models cannot be read: the rotation is not checked', { err: error });
    return [];
  }
};

type CatalogueSource = Pick<LlmProvider, 'listModels'>;

/**
 * Leaves out of the rotation what the endpoint does not offer, and adds what its catalogue says of the others. Where it
 * has no list, or an empty one, every model is kept: nothing speaks against them.
 * @returns the models to rotate over, at least one
 * @throws Error when the endpoint offers others and none of these: the configuration is wrong
 */
export const checkModels = async (
  provider: CatalogueSource,
  models: readonly Candidate[],
  logger: Logger,
): Promise<readonly RotatedModel[]> => {
  const list = await listOffered(provider, logger);
  const offered = new Map(list.map((entry) => [entry.slug, entry]));
  const rotated = models.map(({ slug, weight }) => ({ slug, weight, offered: findOffered(slug, offered) }));
  if (list.length === 0) return rotated;
  const kept = rotated.filter((model) => model.offered !== null);
  const missing = rotated.filter((model) => model.offered === null).map(({ slug }) => slug);
  if (kept.length === 0) {
    throw new Error(`OPENROUTER_MODELS names no model that the endpoint offers: ${missing.join(', ')}`);
  }
  if (missing.length > 0) logger.warn('left out of the rotation: the model endpoint does not offer them', { missing });
  return kept;
};
