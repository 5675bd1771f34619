import type { Logger } from '../../lib/logger.ts';
import type { LlmProvider } from './provider.ts';
import { ProviderError } from './provider.ts';
import type { Candidate } from './rotation.ts';

/** A start does not wait longer for a catalogue. */
const CHECK_TIMEOUT_MS = 5000;
/** OpenRouter's variants that every model has and that its catalogue does not list (openrouter.ai/docs, "Model variants"). */
const UNLISTED_VARIANT = /:(nitro|floor|online|exacto)$/;

const isOffered = (slug: string, offered: ReadonlySet<string>): boolean =>
  offered.has(slug) ||
  offered.has(slug.replace(UNLISTED_VARIANT, '')) ||
  // Ollama's name for a model without a tag.
  offered.has(`${slug}:latest`);

const listOffered = async (provider: LlmProvider, logger: Logger): Promise<readonly string[] | null> => {
  try {
    return await provider.listModels(AbortSignal.timeout(CHECK_TIMEOUT_MS));
  } catch (error) {
    const isWithoutList = error instanceof ProviderError && error.kind === 'not_found';
    if (isWithoutList) logger.debug('the model endpoint has no list of models: the rotation is not checked');
    else logger.warn('the list of models cannot be read: the rotation is not checked', { err: error });
    return null;
  }
};

/**
 * Leaves out of the rotation what the endpoint does not offer. Where it has no list, or when nothing at all would be
 * left, every model is kept: a list can be wrong, and a rotation without models helps nobody.
 * @returns the models to rotate over, at least one
 */
export const checkModels = async <T extends Candidate>(
  provider: LlmProvider,
  models: readonly T[],
  logger: Logger,
): Promise<readonly T[]> => {
  const offered = await listOffered(provider, logger);
  if (offered === null || offered.length === 0) return models;
  const known = new Set(offered);
  const kept = models.filter(({ slug }) => isOffered(slug, known));
  const missing = models.filter((model) => !kept.includes(model)).map(({ slug }) => slug);
  if (kept.length === 0) {
    logger.error('the model endpoint offers none of OPENROUTER_MODELS: check the variable', { missing });
    return models;
  }
  if (missing.length > 0) logger.warn('left out of the rotation: the model endpoint does not offer them', { missing });
  return kept;
};
