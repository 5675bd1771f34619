import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import { preview } from '../../lib/text.ts';
import type { FinalStatus, Message, ReplyError, Turn } from '../../models/entities.ts';
import type { Stores } from '../../models/stores.ts';
import type { EventBus } from '../events.ts';
import { INTERRUPTED } from './failure.ts';

/** Milliseconds between two looks for what dead processes left; with the lease it bounds how long a reply can hang. */
const INTERVAL_MS = 2_000;
/** A queued reply older than this has lost the node that was to start it, unless it is known here. */
const QUEUED_GRACE_MS = 10_000;
/** How long after its lease a reply that no model was asked for is left to whoever asked for it again (takeOver.ts). */
const UNASKED_GRACE_MS = 1_000;
/** Enough that the replies which wait here, and are no orphans, never hide one that is. */
const BATCH = 1000;

export interface ReaperOptions {
  readonly stores: Pick<Stores, 'chats' | 'messages'>;
  readonly events: EventBus;
  /** Takes over a queued reply. */
  readonly start: (turn: Turn, clientMessageId: string) => void;
  readonly isLive: (messageId: string) => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Closes the replies of dead processes, with the text they had, and starts the queued ones they never got to. */
export interface Reaper {
  /** Looks once at once, taking every queued reply for orphaned, and then every two seconds. Resolves after the first look. */
  start(): Promise<void>;
  /** Settles a reply that nobody generates, with the text of its log. */
  finish(message: Message, ending: { readonly status: FinalStatus; readonly error: ReplyError | null }): Promise<void>;
  close(): void;
}

export const createReaper = (options: ReaperOptions): Reaper => {
  const { stores, events, start, isLive, clock } = options;
  const log = options.logger.child('reaper');
  let timer: NodeJS.Timeout | null = null;
  let isClosed = false;

  const finish: Reaper['finish'] = async (message, ending) => {
    const settled = await stores.messages.settleReply(message.ownerId, message.id, {
      ...ending,
      content: message.content,
      model: message.model,
      finishReason: null,
      usage: null,
      latencyMs: null,
      segments: message.segments,
      preview: message.content === '' ? null : preview(message.content),
      at: new Date(clock.now()),
    });
    if (!settled) return;
    const { ownerId } = message;
    events.publish('messageUpdated', { ownerId, message: { ...settled.reply, siblings: [] } });
    events.publish('chatUpdated', { ownerId, chat: settled.chat });
  };

  const restart = async (reply: Message): Promise<void> => {
    const [chat, userMessage] = await Promise.all([
      stores.chats.findChat(reply.ownerId, reply.chatId),
      reply.parentId === null ? null : stores.messages.findMessage(reply.ownerId, reply.parentId),
    ]);
    if (chat && userMessage) start({ chat, userMessage, reply }, reply.clientMessageId ?? '');
    else await finish(reply, { status: 'interrupted', error: INTERRUPTED });
  };

  const isLeft = ({ status, lease }: Message, now: number): boolean =>
    status === 'pending' && (lease?.until.getTime() ?? 0) >= now - UNASKED_GRACE_MS;

  const reap = async (queuedGraceMs: number): Promise<void> => {
    const now = clock.now();
    const lapsed = await stores.messages.listLapsedReplies(new Date(now), new Date(now - queuedGraceMs), BATCH);
    const orphans = lapsed.filter((reply) => !isLive(reply.id) && !isLeft(reply, now));
    for (const reply of orphans) {
      const work =
        reply.status === 'queued' ? restart(reply) : finish(reply, { status: 'interrupted', error: INTERRUPTED });
      // One that cannot be closed must not keep the others open.
      await work.catch((error: unknown) => log.warn('could not close a reply', { messageId: reply.id, err: error }));
    }
    if (orphans.length > 0) log.warn('closed replies that a dead process left', { replies: orphans.length });
  };

  const loop = async (queuedGraceMs: number): Promise<void> => {
    try {
      await reap(queuedGraceMs);
    } catch (error) {
      log.warn('could not look for lapsed replies', { err: error });
    }
    if (isClosed) return;
    timer = setTimeout(() => void loop(QUEUED_GRACE_MS), INTERVAL_MS);
    timer.unref();
  };

  return {
    start: () => loop(0),
    finish,
    close: () => {
      isClosed = true;
      if (timer) clearTimeout(timer);
    },
  };
};
