import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Chat, Lease, Message, Turn } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { ContextService } from '../context/index.ts';
import type { EventBus } from '../events.ts';
import type { LlmRouter } from '../llm/router.types.ts';
import { INTERRUPTED } from './failure.ts';
import { createGenerate } from './generate.ts';
import { createLiveReply, type LiveReply, type StopReason } from './liveReply.ts';
import { createReaper } from './reaper.ts';
import type { ReplyHandle } from './reply.ts';
import { openReplyLog, type ReplyLogMode } from './delayedLog.ts';
import { createStoredReply } from './storedReply.ts';
import { createTakeOver, type RepeatedTurn } from './takeOver.ts';
import { createTurnQueue, type QueuedTurn } from './turnQueue.ts';
import type { UsageService } from '../usage/index.ts';

export type { ReplyHandle, SettledReply } from './reply.ts';

/** Milliseconds that the others wait before they take a silent node for dead, and how often a node shows life. */
export const LEASE_MS = 15_000;
const LEASE_RENEW_MS = 5_000;

export interface RepliesOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly context: ContextService;
  readonly router: LlmRouter;
  readonly usage: Pick<UsageService, 'recorder'>;
  /** When running text is stored: before it is shown, once a second, or with the end of the reply. */
  readonly logMode: ReplyLogMode;
  readonly events: EventBus;
  /** Names this node in leases; another one each time the process starts. */
  readonly nodeId: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Every reply that this node generates, and the way to follow any other. */
export interface RepliesService {
  /** A lease of this node from now on, for a turn that is about to be stored. */
  lease(): Lease;
  /**
   * Starts a stored reply, or lets it wait its turn in its chat. Called once per reply.
   * @param continues whether another model may continue it when it breaks off; undefined: as configured, and so it is
   *   with a reply that another process takes over
   */
  start(turn: Turn, clientMessageId: string, continues?: boolean): ReplyHandle;
  /**
   * The reply of a turn that was asked for again. One that no model was asked for is started, or waited for while it may
   * be that another node will start it: until its lease ends. Of all who retry, on whichever node, one starts it.
   */
  retry(repeated: RepeatedTurn): Promise<ReplyHandle>;
  /** A reply by its stored message, whoever generates it. */
  handle(message: Message, clientMessageId: string): ReplyHandle;
  /** Ends a reply and keeps its text; resolves when it is final. */
  stop(message: Message): Promise<void>;
  /** Ends those of these replies that run on this node, because they were deleted; resolves when nothing writes there. */
  stopDeleted(messageIds: readonly string[]): Promise<void>;
  /** Ends what runs in a chat because its messages go; resolves when nothing writes there any more. */
  stopChat(chatId: string): Promise<void>;
  /** The same for everything of an owner. */
  stopOwner(ownerId: string): Promise<void>;
  /** How many replies this node is at work on. */
  running(): number;
  /** Begins to close what dead processes left behind. */
  startReaper(): Promise<void>;
  /** Lets running replies finish for at most `graceMs` milliseconds, then interrupts them; their text is kept. */
  close(graceMs: number): Promise<void>;
}

export const createRepliesService = (options: RepliesOptions): RepliesService => {
  const { stores, router, events, nodeId, clock, logger } = options;
  const log = logger.child('replies');
  const live = new Map<string, LiveReply>();
  const replyLog = openReplyLog(options.logMode, stores.messages, logger);
  const generate = createGenerate({ ...options, replyLog });
  const lease = (): Lease => ({ nodeId, until: new Date(clock.now() + LEASE_MS) });

  /** The model to ask for; a chat or a waiting reply may name one that has left the rotation since. */
  const modelFor = (reply: LiveReply, chat: Chat): string => {
    const wanted = reply.current().model ?? chat.model ?? 'auto';
    if (router.hasModel(wanted)) return wanted;
    log.warn('a model that was asked for is not in rotation, another answers', { model: wanted, chatId: chat.id });
    return 'auto';
  };

  /** Generates a reply whose turn it is. */
  const run = async ({ reply, chat, question, continues }: QueuedTurn): Promise<void> => {
    await generate({ reply, chat, question, model: modelFor(reply, chat), continues });
    const settled = await reply.done();
    // A turn of the loop later: whoever follows the reply learns of its end before the chat's new preview.
    await setImmediate();
    events.publish('chatUpdated', { ownerId: reply.ownerId, chat: settled.chat });
  };

  const turns = createTurnQueue({ stores, lease, run, clock, logger });

  const runOrAbandon = async (turn: QueuedTurn): Promise<void> => {
    const { reply, chat } = turn;
    try {
      await turns.add(turn);
    } catch (error) {
      log.error('a reply could not be run', { messageId: reply.messageId, err: error });
      reply.abandon({ chat, message: { ...reply.current(), status: 'interrupted', error: INTERRUPTED } });
    }
    // A reply that was interrupted and asked for again is here a second time.
    if (live.get(reply.messageId) === reply) live.delete(reply.messageId);
  };

  const start: RepliesService['start'] = ({ chat, userMessage, reply: message }, clientMessageId, continues) => {
    const reply = createLiveReply({ chat, reply: message, clientMessageId });
    live.set(reply.messageId, reply);
    events.publish('replyStarted', { ownerId: reply.ownerId, reply });
    void runOrAbandon({ reply, chat, question: userMessage, mustWait: message.status === 'queued', continues });
    return reply;
  };

  const takeOver = createTakeOver({ stores, start, live: (messageId) => live.get(messageId), clock, logger });
  const reaper = createReaper({ stores, events, start, isLive: (messageId) => live.has(messageId), clock, logger });

  /** Without those that wait: they stay queued in the store, and the next process starts them. */
  const running = (): LiveReply[] => [...live.values()].filter((reply) => reply.current().status !== 'queued');

  const renewLeases = async (): Promise<void> => {
    // Those that hold one now: the answer knows nothing of a reply whose turn comes while the store looks.
    const holders = running();
    if (holders.length === 0) return;
    const ids = holders.map(({ messageId }) => messageId);
    const held = new Set(await stores.messages.renewLeases(nodeId, ids, lease().until));
    for (const reply of holders) {
      const { messageId } = reply;
      if (!held.has(messageId) && live.get(messageId) === reply) reply.stop('lease-lost');
    }
  };

  const renewal = setInterval(() => {
    renewLeases().catch((error: unknown) => log.warn('leases could not be renewed', { err: error }));
  }, LEASE_RENEW_MS);
  renewal.unref();

  const stopAll = async (replies: readonly LiveReply[], reason: StopReason): Promise<void> => {
    for (const reply of replies) reply.stop(reason);
    await Promise.all(replies.map((reply) => reply.done()));
  };

  return {
    lease,
    start,
    retry: (repeated) => takeOver.retry(repeated),
    handle: (message, clientMessageId) =>
      live.get(message.id) ?? takeOver.awaited(message) ?? createStoredReply({ stores, message, clientMessageId }),
    stop: async (message) => {
      const reply = live.get(message.id);
      if (reply) await stopAll([reply], 'stopped');
      else await reaper.finish(message, { status: 'stopped', error: null });
    },
    stopDeleted: (messageIds) =>
      stopAll(
        messageIds.flatMap((id) => live.get(id) ?? []),
        'deleted',
      ),
    stopChat: (chatId) =>
      stopAll(
        [...live.values()].filter((reply) => reply.chatId === chatId),
        'deleted',
      ),
    stopOwner: (ownerId) =>
      stopAll(
        [...live.values()].filter((reply) => reply.ownerId === ownerId),
        'deleted',
      ),
    running: () => live.size,
    startReaper: () => reaper.start(),
    close: async (graceMs) => {
      reaper.close();
      await takeOver.close();
      const late = setTimeout(() => {
        for (const reply of running()) reply.stop('shutdown');
      }, graceMs);
      await turns.close();
      // One that was claimed just now is seen to run in the next turn of the loop.
      await setImmediate();
      await Promise.all(running().map((reply) => reply.done()));
      clearTimeout(late);
      // The followers were woken in this turn of the loop: they tell the end before their connections are closed.
      await setImmediate();
      clearInterval(renewal);
      replyLog.close();
    },
  };
};
