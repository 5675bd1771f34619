import type { AuditEvent } from '../../models/entities.ts';
import type { Page } from '../../schemas/common.ts';
import type { AuditAction } from '../audit/index.ts';
import type { Actor } from './actor.ts';
import type { AuthParts, PageQuery } from './deps.ts';

const DAYS = 90;
const DAY_MS = 86_400_000;
/** What is a try to sign in. */
const ACTIONS: readonly AuditAction[] = ['account.created', 'login.succeeded', 'login.failed'];

/** The sign-ins of the last 90 days, the newest first, those included that failed; read from the audit log. */
export const createHistory =
  ({ audit, clock }: Pick<AuthParts, 'audit' | 'clock'>) =>
  ({ ownerId }: Actor, { limit, cursor }: PageQuery): Promise<Page<AuditEvent>> => {
    const from = new Date(clock.now() - DAYS * DAY_MS);
    return audit.listEvents({ ownerId, actions: ACTIONS, from, limit, cursor });
  };
