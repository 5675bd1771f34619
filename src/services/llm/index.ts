import type { Config } from '../../config/index.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import { checkModels } from './checkModels.ts';
import { createOpenRouterProvider } from './openrouter.provider.ts';
import { createRouter } from './router.ts';
import type { LlmProvider } from './provider.ts';
import type { LlmRouter } from './router.types.ts';
import { ROUTER_SETTINGS } from './settings.ts';
import { createSimulator, type Simulator } from './simulator/index.ts';

export { ProviderError } from './provider.ts';
export type { FinishReason, LlmMessage, LlmPart, LlmProvider, LlmRequest, ProviderErrorKind } from './provider.ts';
export type { AttemptRecord, LlmRouter, ModelState, RoutedPart, RoutedRequest } from './router.types.ts';

export interface LlmTools {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
}

export interface Llm {
  readonly router: LlmRouter;
  /** The books of a call whose stream did not tell them; what `LlmProvider.findUsage` promises. */
  readonly findUsage: LlmProvider['findUsage'];
  /** Ends the simulator, if it runs, and the idle connections. */
  close(): Promise<void>;
}

/** Words as fast as a person likes to see them come. */
const SIMULATED_DELAY_MS = 25;

type LlmConfig = Config['llm'];

/** The endpoint to talk to: the configured one, or the simulator's, which nothing behind this line can tell apart. */
const endpointOf = (config: LlmConfig, simulator: Simulator | null) => {
  if (simulator === null) return { baseUrl: config.baseUrl, apiKey: config.apiKey, models: config.models };
  const chosen = config.models.filter(({ slug }) => /^(sim|simulator)\//.test(slug));
  const models = chosen.length > 0 ? chosen : simulator.models.map((slug) => ({ slug, weight: 1 }));
  return { baseUrl: simulator.baseUrl, apiKey: simulator.apiKey, models };
};

/**
 * The models, ready to answer: on the configured endpoint, or on the built-in simulator where there is none.
 * The container calls it once and registers `close`.
 */
export const createLlm = async (config: Pick<Config, 'llm' | 'server'>, tools: LlmTools): Promise<Llm> => {
  const { llm } = config;
  const log = tools.logger.child('llm');
  const simulator =
    llm.provider === 'simulator' ? await createSimulator({ tokenDelayMs: SIMULATED_DELAY_MS, maxLogged: 0 }) : null;
  const endpoint = endpointOf(llm, simulator);
  const provider = createOpenRouterProvider({
    baseUrl: endpoint.baseUrl,
    apiKey: endpoint.apiKey,
    timeouts: llm.timeouts,
    publicUrl: config.server.publicUrl,
    clock: tools.clock,
  });
  const models = await checkModels(provider, endpoint.models, log).catch(async (error: unknown) => {
    provider.close();
    await simulator?.close();
    throw error;
  });
  if (simulator) {
    log.warn('the BUILT-IN SIMULATOR answers, not a model: set OPENROUTER_API_KEY for real ones');
  } else {
    log.info('models answer', {
      endpoint: endpoint.baseUrl,
      models: models.map(({ slug }) => slug),
      affinity: llm.affinity,
    });
  }
  const router = createRouter({
    ...tools,
    provider,
    models,
    affinity: llm.affinity,
    temperature: llm.temperature,
    maxTokens: llm.maxOutputTokens,
    continues: llm.midStreamFailover,
    settings: {
      firstTokenMs: llm.timeouts.firstTokenMs,
      totalMs: llm.timeouts.totalMs,
      freePool: { ...ROUTER_SETTINGS.freePool, perMinute: llm.freeRequestsPerMinute },
      concurrency: { ...ROUTER_SETTINGS.concurrency, maxRunning: llm.modelConcurrency },
    },
    isSimulated: simulator !== null,
  });
  return {
    router,
    findUsage: (generationId, signal) => provider.findUsage(generationId, signal),
    close: async () => {
      provider.close();
      await simulator?.close();
    },
  };
};
