import { z } from 'zod';
import type { AuditEvent } from '../models/entities.ts';
import { idRef, pageQuery, text, timestamp } from './common.ts';

const role = z.enum(['user', 'manager', 'admin']);
const status = z.enum(['active', 'disabled']);

export const listUsersSchema = z.strictObject({
  ...pageQuery(),
  q: text(1, 254).optional().meta({ description: 'In the username or the e-mail address, whatever the case' }),
  role: role.optional(),
  status: status.optional(),
});
export type ListUsersQuery = z.output<typeof listUsersSchema>;

export const updateUserSchema = z
  .strictObject({
    role: role.optional(),
    status: status.optional(),
    fullName: text(1, 100).nullable().optional(),
    emailVerified: z.boolean().optional(),
  })
  .meta({ id: 'UpdateUser' });
export type UpdateUser = z.output<typeof updateUserSchema>;

const time = z.iso
  .datetime({ offset: true })
  .transform((value) => new Date(value))
  .optional();

export const listEventsSchema = z.strictObject({
  ...pageQuery(),
  actor: idRef.optional().meta({ description: 'Only what this user did' }),
  user: idRef.optional().meta({ description: 'Only what is about this account' }),
  action: z
    .string()
    .regex(/^[a-z.-]{1,64}$/, 'must be an action such as login.failed')
    .optional(),
  from: time,
  to: time.meta({ description: 'Before this time' }),
});
export type ListEvents = z.output<typeof listEventsSchema>;

export const auditEventSchema = z
  .strictObject({
    id: z.string(),
    at: timestamp,
    action: z.string(),
    outcome: z.enum(['success', 'failure']),
    actorId: z.string().nullable().meta({ description: 'Who did it; null: unknown, or the server' }),
    userId: z.string().nullable().meta({ description: 'Whose account it is about' }),
    targetId: z.string().nullable().meta({ description: 'The login or API key' }),
    ip: z.string(),
    device: z.string().meta({ description: 'The `User-Agent`' }),
    requestId: z.string().nullable(),
    details: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'AuditEvent' });

export const toAuditEventView = (event: AuditEvent): z.infer<typeof auditEventSchema> => ({
  id: event.id,
  at: event.at.toISOString(),
  action: event.action,
  outcome: event.outcome,
  actorId: event.actorId,
  userId: event.ownerId,
  targetId: event.targetId,
  ip: event.ip,
  device: event.device,
  requestId: event.requestId,
  ...(event.details === null ? {} : { details: { ...event.details } }),
});

export const statsSchema = z
  .strictObject({
    users: z.strictObject({ total: z.int(), disabled: z.int(), admins: z.int() }),
    chats: z.int(),
    messages: z.int(),
    usageToday: z
      .strictObject({ tokens: z.int(), costMicroUsd: z.int() })
      .meta({ description: 'Of everybody, on this day in UTC' }),
    at: timestamp.meta({ description: 'When it was counted; at most a minute ago' }),
  })
  .meta({ id: 'Stats' });
export type StatsView = z.infer<typeof statsSchema>;
