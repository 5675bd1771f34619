import { withDevelopmentSecrets } from './config/developmentSecrets.ts';
import type { Config } from './config/index.ts';
import { createAuthController } from './controllers/auth.controller.ts';
import { createChatController } from './controllers/chat.controller.ts';
import { createDocsController } from './controllers/docs.controller.ts';
import { createHealthController } from './controllers/health.controller.ts';
import { createModelsController } from './controllers/models.controller.ts';
import { createSyncController } from './controllers/sync.controller.ts';
import { systemClock, type Clock } from './lib/clock.ts';
import { isAppError } from './lib/errors.ts';
import { createFailpoints } from './lib/failpoints.ts';
import { newId } from './lib/ids.ts';
import { createLifecycle, type Lifecycle } from './lib/lifecycle.ts';
import type { Logger } from './lib/logger.ts';
import { createMetrics } from './lib/metrics.ts';
import { packageVersion } from './lib/version.ts';
import { sessionCookies } from './middleware/cookies.ts';
import { createOrigins } from './middleware/origins.ts';
import { createRateLimits } from './middleware/rateLimit.ts';
import { openStores } from './models/index.ts';
import { createAuthService, createLoginEnds, createPasswords, type AuthService } from './services/auth/index.ts';
import { createChatService } from './services/chat/index.ts';
import { createContextService } from './services/context/index.ts';
import { createTokenizer } from './services/context/tokenizer.ts';
import { createEventBus } from './services/events.ts';
import { createLimits } from './services/limits/index.ts';
import { createLlm } from './services/llm/index.ts';
import { startSweeper } from './services/maintenance/sweeper.ts';
import { createRepliesService } from './services/replies/index.ts';

/** Milliseconds that running replies may take to finish when the server stops; Kubernetes kills after 30 s in all. */
const REPLIES_GRACE_MS = 15_000;

/** Milliseconds that the closers of each phase may take; together under 25 s. */
const DEADLINES = {
  admission: 1_000,
  replies: REPLIES_GRACE_MS + 2_000,
  sockets: 1_000,
  http: 2_000,
  background: 1_000,
  stores: 2_000,
};

const createTools = (logger: Logger, clock: Clock) => {
  const lifecycle: Lifecycle = createLifecycle(logger, DEADLINES);
  const closing = new AbortController();
  lifecycle.onClose('sockets', 'open answers', () => closing.abort());
  return { logger, clock, metrics: createMetrics(), events: createEventBus(), lifecycle, closing: closing.signal };
};

type Tools = ReturnType<typeof createTools>;

const createContext = (
  config: Config,
  messages: Parameters<typeof createContextService>[0]['messages'],
  tools: Tools,
) => {
  const { chat, llm } = config;
  const tokenizer = createTokenizer();
  tools.lifecycle.onClose('background', 'tokenizer', () => tokenizer.close());
  return createContextService({
    messages,
    tokenizer,
    metrics: tools.metrics,
    limits: {
      maxMessages: chat.contextMaxMessages,
      maxTokens: chat.contextMaxTokens,
      cacheBytes: chat.contextCacheBytes,
    },
    systemPrompt: llm.systemPrompt,
  });
};

const openServices = async (config: Config, tools: Tools) => {
  const { lifecycle, events, logger } = tools;
  const failpoints = createFailpoints(config.failpoints, logger);
  const opened = await openStores(config.database, tools);
  const messages = failpoints.around(opened.messages, ['appendTurn', 'startReply', 'appendLog', 'settleReply']);
  const stores = { ...opened, messages };
  lifecycle.onClose('stores', 'database', () => stores.close());
  const llm = await createLlm(config, tools);
  lifecycle.onClose('background', 'models', () => llm.close());

  const limits = createLimits({ ...tools, config: config.limits });
  const passwords = createPasswords(config.auth, lifecycle);
  const auth = createAuthService({ ...tools, stores, config, passwords });
  const context = createContext(config, stores.messages, tools);
  const replies = createRepliesService({
    ...tools,
    stores,
    context,
    router: failpoints.aroundStream(llm.router),
    nodeId: newId(),
  });
  lifecycle.onClose('replies', 'running replies', () => replies.close(REPLIES_GRACE_MS));
  /** Ends what runs for a deleted account, and removes what a send stored that was under way when it was deleted. */
  const forgetOwner = async (ownerId: string): Promise<void> => {
    await replies.stopOwner(ownerId);
    if ((await stores.users.findUser(ownerId)) !== null) return;
    await stores.chats.deleteChats(ownerId);
    await stores.users.deleteUser(ownerId);
  };
  events.subscribe('accountEnded', ({ ownerId }) => {
    forgetOwner(ownerId).catch((error: unknown) => logger.error('an account left something behind', { err: error }));
  });
  const chat = createChatService({
    ...tools,
    stores,
    replies,
    context,
    router: llm.router,
    limiter: limits.chat,
    messageMaxChars: config.chat.messageMaxChars,
    allowClientSystemPrompt: config.llm.allowClientSystemPrompt,
    isClosing: () => lifecycle.isClosing,
  });
  lifecycle.onClose('admission', 'turns on their way into the store', () => chat.turnsStored());
  return { stores, router: llm.router, limits, passwords, auth, context, replies, chat };
};

type Services = Awaited<ReturnType<typeof openServices>>;

/** Milliseconds until the next try to make the first admin while the database is on its way up. */
const ADMIN_RETRY_MS = 2_000;

/** MongoDB may come up later than this node: then the first admin is made as soon as it is there. */
const ensureFirstAdmin = async (auth: AuthService, { lifecycle, logger }: Tools): Promise<void> => {
  let retry: NodeJS.Timeout | undefined;
  lifecycle.onClose('admission', 'first admin', () => clearTimeout(retry));
  const attempt = async (): Promise<void> => {
    try {
      await auth.ensureFirstAdmin();
    } catch (error) {
      if (!isAppError(error, 'STORE_UNAVAILABLE')) throw error;
      retry = setTimeout(() => {
        attempt().catch((cause: unknown) => logger.error('no admin made', { err: cause }));
      }, ADMIN_RETRY_MS);
    }
  };
  await attempt();
};

const startBackground = async (config: Config, services: Services, tools: Tools): Promise<void> => {
  const { stores, auth, replies, chat } = services;
  await replies.startReaper();
  await ensureFirstAdmin(auth, tools);
  startSweeper({
    ...tools,
    stores,
    expireChat: (ownerId, chatId) => chat.expireChat(ownerId, chatId),
    retentionDays: config.database.chatRetentionDays,
  });
};

/**
 * Builds a whole node: the only place that picks implementations and plugs them together. No module holds state, so one
 * process can hold several nodes. Everything that is opened is registered with `lifecycle`, which closes it in order.
 * @throws StoreUnavailableError when the embedded database cannot be used
 */
export const createContainer = async (given: Config, logger: Logger, clock: Clock = systemClock) => {
  const config = await withDevelopmentSecrets(given);
  const tools = createTools(logger, clock);
  try {
    const services = await openServices(config, tools);
    await startBackground(config, services, tools);
    const { stores, router, limits, auth, chat } = services;
    const isClosing = (): boolean => tools.lifecycle.isClosing;
    return {
      ...tools,
      ...services,
      config,
      origins: createOrigins(config.server),
      rateLimits: createRateLimits(limits),
      controllers: {
        auth: createAuthController({
          auth,
          cookies: sessionCookies,
          allowPasswordGrant: config.auth.oauthPasswordGrant,
        }),
        chat: createChatController({
          chat,
          responseWaitMs: config.chat.responseWaitMs,
          gate: { connections: limits.connections, loginEnds: createLoginEnds(tools.events) },
          closing: tools.closing,
        }),
        sync: createSyncController(chat),
        models: createModelsController(router),
        docs: createDocsController({ version: packageVersion(), publicUrl: config.server.publicUrl }),
        health: createHealthController({ ping: () => stores.ping(), isClosing }),
      },
    };
  } catch (error) {
    await tools.lifecycle.close();
    throw error;
  }
};

export type Container = Awaited<ReturnType<typeof createContainer>>;
