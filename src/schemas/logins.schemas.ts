import { z } from 'zod';
import { describeDevice } from '../lib/device.ts';
import type { AuditEvent, Login } from '../models/entities.ts';
import { pageQuery, timestamp } from './common.ts';

/** The query of a list that has nothing to choose but its page. */
export const pageSchema = z.strictObject(pageQuery());

export const loginViewSchema = z
  .strictObject({
    id: z.string(),
    device: z.string().meta({ description: 'As the client called itself' }),
    ip: z.string(),
    current: z.boolean().meta({ description: 'Whether this request was made under it' }),
    createdAt: timestamp,
    lastSeenAt: timestamp.meta({ description: 'To a minute' }),
    expiresAt: timestamp.meta({ description: 'When it ends unless it is used before' }),
  })
  .meta({ id: 'LoginDevice' });

/** @param currentId the login under which the list is read */
export const toLoginView = (login: Login, currentId: string | null): z.infer<typeof loginViewSchema> => ({
  id: login.id,
  device: describeDevice(login.device),
  ip: login.ip,
  current: login.id === currentId,
  createdAt: login.createdAt.toISOString(),
  lastSeenAt: login.lastSeenAt.toISOString(),
  expiresAt: login.idleExpiresAt.toISOString(),
});

export const signInSchema = z
  .strictObject({
    id: z.string(),
    at: timestamp,
    outcome: z.enum(['success', 'failure']),
    method: z.string().meta({ description: '`signup`, `password`, …' }),
    device: z.string(),
    ip: z.string(),
  })
  .meta({ id: 'SignIn' });

export const toSignInView = (event: AuditEvent): z.infer<typeof signInSchema> => ({
  id: event.id,
  at: event.at.toISOString(),
  outcome: event.outcome,
  method: event.details?.method ?? 'unknown',
  device: describeDevice(event.device),
  ip: event.ip,
});
