import { withDevelopmentSecrets } from './config/developmentSecrets.ts';
import type { Config } from './config/index.ts';
import { createAccountMailController } from './controllers/accountMail.controller.ts';
import { createAdminController } from './controllers/admin.controller.ts';
import { createAuthController } from './controllers/auth.controller.ts';
import { createChatController } from './controllers/chat.controller.ts';
import { createDocsController } from './controllers/docs.controller.ts';
import { createHealthController } from './controllers/health.controller.ts';
import { createKeysController } from './controllers/keys.controller.ts';
import { createMfaController } from './controllers/mfa.controller.ts';
import { createModelsController } from './controllers/models.controller.ts';
import { createOidcController } from './controllers/oidc.controller.ts';
import { createOpenAiController } from './controllers/openai.controller.ts';
import { createSyncController } from './controllers/sync.controller.ts';
import { createUsageController } from './controllers/usage.controller.ts';
import { systemClock, type Clock } from './lib/clock.ts';
import { isAppError } from './lib/errors.ts';
import { createFailpoints } from './lib/failpoints.ts';
import { newId } from './lib/ids.ts';
import { createLifecycle, type Lifecycle } from './lib/lifecycle.ts';
import type { Logger } from './lib/logger.ts';
import { createMetrics } from './lib/metrics.ts';
import { packageVersion } from './lib/version.ts';
import { createSessionCookies, createSignInCookie } from './middleware/cookies.ts';
import { createOrigins } from './middleware/origins.ts';
import { createRateLimits } from './middleware/rateLimit.ts';
import { openStores } from './models/index.ts';
import type { Stores } from './models/stores.ts';
import { createAdminService } from './services/admin/index.ts';
import { createAudit } from './services/audit/index.ts';
import {
  createAuthService,
  createLoginEnds,
  createPasswords,
  watchOtherNodes,
  type AuthService,
} from './services/auth/index.ts';
import { createChatService } from './services/chat/index.ts';
import { createCompletions } from './services/completions/index.ts';
import { createContextService } from './services/context/index.ts';
import { createTokenizer } from './services/context/tokenizer.ts';
import { createEventBus } from './services/events.ts';
import { createLimits, type Limits } from './services/limits/index.ts';
import { createLlm } from './services/llm/index.ts';
import { createMailer } from './services/mail/index.ts';
import { startSweeper } from './services/maintenance/sweeper.ts';
import { createRepliesService, type RepliesService } from './services/replies/index.ts';
import { createUsageService, type UsageOptions, type UsageService } from './services/usage/index.ts';

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

interface Owned {
  readonly stores: Stores;
  readonly replies: RepliesService;
  readonly usage: UsageService;
}

/** Ends what runs for a deleted account, and removes what a send stored that was under way when it was deleted. */
const forgetDeleted = ({ stores, replies, usage }: Owned, { events, logger }: Tools): void => {
  const forgetOwner = async (ownerId: string): Promise<void> => {
    const stopped = replies.stopOwner(ownerId);
    const isGone = (await stores.users.findUser(ownerId)) === null;
    // Before their ends are written: the books of a deleted account are gone, and stay so.
    if (isGone) await usage.forgetOwner(ownerId);
    await stopped;
    if (!isGone) return;
    await stores.chats.deleteChats(ownerId);
    await stores.users.deleteUser(ownerId);
  };
  events.subscribe('accountEnded', ({ ownerId }) => {
    forgetOwner(ownerId).catch((error: unknown) => logger.error('an account left something behind', { err: error }));
  });
};

type UsageTools = Tools & Pick<UsageOptions, 'stores' | 'findUsage' | 'nodeId'>;

const createUsage = (config: Config, tools: UsageTools): UsageService => {
  const usage = createUsageService({
    ...tools,
    limits: config.quotas,
    maxOutputTokens: config.llm.maxOutputTokens,
  });
  tools.lifecycle.onClose('background', 'books', () => usage.close());
  return usage;
};

/** What everything else stands on: the database and the models. */
const openGround = async (config: Config, tools: Tools) => {
  const { lifecycle, logger } = tools;
  const failpoints = createFailpoints(config.failpoints, logger);
  const opened = await openStores(config.database, tools);
  const messages = failpoints.around(opened.messages, ['appendTurn', 'startReply', 'appendLog', 'settleReply']);
  const stores = { ...opened, messages };
  lifecycle.onClose('stores', 'database', () => stores.close());
  const llm = await createLlm(config, tools);
  lifecycle.onClose('background', 'models', () => llm.close());
  return { stores, llm, replyRouter: failpoints.aroundStream(llm.router) };
};

const openAccounts = (config: Config, { stores, limits }: { stores: Stores; limits: Limits }, tools: Tools) => {
  const { lifecycle } = tools;
  // In production the machine is the server's own; elsewhere others want the cores, and nobody guesses.
  const passwords = createPasswords({ ...config.auth, standsBack: config.isProduction }, lifecycle);
  const audit = createAudit({ ...tools, store: stores.audit });
  lifecycle.onClose('background', 'audit log', () => audit.flush());
  const mailer = createMailer(config, tools.logger);
  lifecycle.onClose('background', 'mails', () => mailer.close());
  const auth = createAuthService({ ...tools, stores, config, passwords, audit, mailer, limits });
  lifecycle.onClose('background', 'last seen', () => auth.close());
  const admin = createAdminService({ ...tools, stores, audit, mailer });
  return { passwords, audit, mailer, auth, admin };
};

const openServices = async (config: Config, tools: Tools) => {
  const { lifecycle } = tools;
  const { stores, llm, replyRouter } = await openGround(config, tools);
  const limits = createLimits({ ...tools, config: config.limits, failures: stores.failures });
  const context = createContext(config, stores.messages, tools);
  const nodeId = newId();
  const usage = createUsage(config, { ...tools, stores, findUsage: llm.findUsage, nodeId });
  const replies = createRepliesService({
    ...tools,
    stores,
    context,
    router: replyRouter,
    logMode: config.chat.replyLog,
    usage,
    nodeId,
  });
  const completions = createCompletions({
    router: llm.router,
    usage,
    maxOutputTokens: config.llm.maxOutputTokens,
    isClosing: () => lifecycle.isClosing(),
  });
  lifecycle.onClose('replies', 'running replies', async () => {
    await Promise.all([replies.close(REPLIES_GRACE_MS), completions.close(REPLIES_GRACE_MS)]);
  });
  forgetDeleted({ stores, replies, usage }, tools);
  const chat = createChatService({
    ...tools,
    stores,
    replies,
    context,
    router: llm.router,
    limiter: limits.chat,
    usage,
    messageMaxChars: config.chat.messageMaxChars,
    allowClientSystemPrompt: config.llm.allowClientSystemPrompt,
    isClosing: () => lifecycle.isClosing(),
  });
  lifecycle.onClose('admission', 'turns on their way into the store', () => chat.turnsStored());
  return {
    stores,
    router: llm.router,
    limits,
    ...openAccounts(config, { stores, limits }, tools),
    context,
    usage,
    replies,
    chat,
    completions,
  };
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
  watchOtherNodes({ ...tools, endings: stores.endings });
  startSweeper({
    ...tools,
    stores,
    expireChat: (ownerId, chatId) => chat.expireChat(ownerId, chatId),
    rewrapSecrets: (limit) => auth.rewrapSecondFactors(limit),
    retentionDays: config.database.chatRetentionDays,
    auditRetentionDays: config.auth.auditRetentionDays,
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
    const { stores, router, limits, auth, admin, chat } = services;
    const gate = { connections: limits.connections, loginEnds: createLoginEnds(tools.events, tools.clock) };
    const isClosing = (): boolean => tools.lifecycle.isClosing();
    const origins = createOrigins(config.server);
    const cookies = createSessionCookies(origins);
    return {
      ...tools,
      ...services,
      config,
      origins,
      rateLimits: createRateLimits(limits),
      controllers: {
        auth: createAuthController({
          auth,
          cookies,
          allowPasswordGrant: config.auth.oauthPasswordGrant,
        }),
        chat: createChatController({
          chat,
          responseWaitMs: config.chat.responseWaitMs,
          gate,
          closing: tools.closing,
        }),
        openai: createOpenAiController({ ...tools, ...services, gate, heartbeatMs: config.openai.heartbeatMs }),
        accountMail: createAccountMailController(auth),
        mfa: createMfaController(auth),
        oidc: createOidcController({ oidc: auth.oidc, cookies, transaction: createSignInCookie(origins) }),
        keys: createKeysController(auth),
        admin: createAdminController(admin),
        sync: createSyncController(chat),
        models: createModelsController(router),
        usage: createUsageController(services.usage),
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
