import type { Clock } from '../../lib/clock.ts';
import { newId } from '../../lib/ids.ts';
import type { Logger } from '../../lib/logger.ts';
import { requestContext } from '../../lib/requestContext.ts';
import { shorten } from '../../lib/text.ts';
import { readTimeCursor, toTimePage } from '../../lib/timeCursor.ts';
import type { AuditEvent } from '../../models/entities.ts';
import type { AuditFilter, AuditStore } from '../../models/stores.ts';
import type { Page } from '../../schemas/common.ts';
import { createFloods } from './floods.ts';

/** Everything that is recorded. Reading is not, but of what somebody may do with others' accounts. */
export type AuditAction =
  | 'account.created'
  | 'account.changed'
  | 'account.deleted'
  | 'login.succeeded'
  | 'login.failed'
  | 'login.ended'
  | 'refresh.reused'
  | 'email.verified'
  | 'password.changed'
  | 'password.reset-asked'
  | 'password.refused'
  | 'mfa.asked'
  | 'mfa.enabled'
  | 'mfa.disabled'
  | 'mfa.refused'
  | 'mfa.recovery-used'
  | 'identity.linked'
  | 'identity.removed'
  | 'key.created'
  | 'key.revoked'
  | 'user.changed'
  | 'user.signed-out';

export interface AuditEntry {
  readonly action: AuditAction;
  readonly outcome?: 'success' | 'failure';
  /** Who did it; left out when nobody knows, or it was the server. */
  readonly actorId?: string | undefined;
  /** Whose account it is about. */
  readonly ownerId?: string | undefined;
  readonly targetId?: string | undefined;
  /** Nothing personal and nothing secret: it is kept when the account is gone. */
  readonly details?: Readonly<Record<string, string>>;
  /** Leaves out from where it came, for an account that is just forgotten. */
  readonly isAnonymous?: boolean;
}

export interface AuditQuery {
  readonly actorId?: string | undefined;
  readonly ownerId?: string | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface Audit {
  /**
   * Records it within moments, without keeping the caller waiting. From where and in which request is taken from the context.
   * Of failures about one account, or from one address, 30 in ten minutes are written; the next one tells how many were not.
   */
  record(entry: AuditEntry): void;
  /** Resolves when it is durable. @throws AppError `STORE_UNAVAILABLE`; it is tried again then, without the caller */
  recordNow(entry: AuditEntry): Promise<void>;
  /** Resolves when all that was recorded is durable. */
  flush(): Promise<void>;
  /** The newest first. @throws AppError `CURSOR_INVALID` */
  listEvents(query: AuditQuery): Promise<Page<AuditEvent>>;
}

export interface AuditOptions {
  readonly store: AuditStore;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Milliseconds that events gather before they are written together, and between tries while the database is away. */
const GATHER_MS = 50;
const RETRY_MS = 1_000;
const BATCH = 200;
/** Events that wait at most, some 5 MB; of more the oldest are lost, which is logged. */
const MAX_WAITING = 10_000;
const MAX_DEVICE_CHARS = 256;
const LIST = 'audit';

const whereOf = (entry: AuditEntry): Pick<AuditEvent, 'ip' | 'device' | 'requestId'> => {
  const context = requestContext.get();
  const client = entry.isAnonymous ? undefined : context?.client;
  return {
    ip: client?.ip ?? '',
    device: shorten(client?.device ?? '', MAX_DEVICE_CHARS),
    requestId: context?.requestId ?? null,
  };
};

const toEvent = (entry: AuditEntry, at: Date): AuditEvent => ({
  id: newId(),
  at,
  action: entry.action,
  outcome: entry.outcome ?? 'success',
  actorId: entry.actorId ?? null,
  ownerId: entry.ownerId ?? null,
  targetId: entry.targetId ?? null,
  ...whereOf(entry),
  details: entry.details ?? null,
});

const toFilter = ({ actorId, ownerId, actions, from, to }: AuditQuery): AuditFilter => ({
  actorId: actorId ?? null,
  ownerId: ownerId ?? null,
  actions: actions ?? [],
  from: from ?? null,
  to: to ?? null,
});

const floodKey = ({ action, ownerId }: AuditEntry): string =>
  `${action} ${ownerId ?? requestContext.get()?.client?.ip ?? ''}`;

const told = (leftOut: number): Record<string, string> => (leftOut > 0 ? { leftOut: String(leftOut) } : {});

/** The log of security events: written in batches behind the requests, or at once where an answer must not come before it. */
export const createAudit = ({ store, clock, logger }: AuditOptions): Audit => {
  const log = logger.child('audit');
  const floods = createFloods(clock);
  let waiting: AuditEvent[] = [];
  let writing: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;

  const write = async (): Promise<void> => {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, BATCH);
      await store.appendEvents(batch);
      const written = new Set(batch);
      waiting = waiting.filter((event) => !written.has(event));
    }
  };

  const writeOnce = (): Promise<void> =>
    (writing ??= write().finally(() => {
      writing = null;
    }));

  const schedule = (delayMs: number): void => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = null;
      writeOnce().catch((error: unknown) => {
        log.warn('events could not be written yet', { waiting: waiting.length, err: error });
        schedule(RETRY_MS);
      });
    }, delayMs).unref();
  };

  const add = (entry: AuditEntry): AuditEvent => {
    const event = toEvent(entry, new Date(clock.now()));
    waiting.push(event);
    const lost = waiting.length - MAX_WAITING;
    if (lost > 0) {
      waiting = waiting.slice(lost);
      log.error('events were lost', { lost });
    }
    return event;
  };

  return {
    record: (entry) => {
      const { details, ...rest } = entry;
      const leftOut = entry.outcome === 'failure' ? floods.admit(floodKey(entry)) : 0;
      if (leftOut === null) return;
      add({ ...rest, ...(leftOut > 0 || details ? { details: { ...details, ...told(leftOut) } } : {}) });
      schedule(GATHER_MS);
    },
    recordNow: async (entry) => {
      const event = add(entry);
      try {
        while (waiting.includes(event)) await writeOnce();
      } catch (error) {
        schedule(RETRY_MS);
        throw error;
      }
    },
    flush: async () => {
      while (waiting.length > 0) await writeOnce();
    },
    listEvents: async (query) => {
      const after = readTimeCursor(LIST, query.cursor);
      const events = await store.listEvents(toFilter(query), { after, limit: query.limit + 1 });
      return toTimePage(events, { list: LIST, limit: query.limit, timeOf: (event) => event.at });
    },
  };
};
