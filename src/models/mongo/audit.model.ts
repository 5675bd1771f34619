import { Schema } from 'mongoose';
import type { AuditEvent } from '../entities.ts';
import { nullableText, rowSchema } from './schema.ts';

export interface AuditRow extends Omit<AuditEvent, 'id'> {
  readonly _id: string;
}

export const auditSchema = rowSchema<AuditRow>({
  at: Date,
  action: String,
  outcome: String,
  actorId: nullableText,
  ownerId: nullableText,
  targetId: nullableText,
  ip: String,
  device: String,
  requestId: nullableText,
  details: { type: Schema.Types.Mixed, default: null },
});
auditSchema.index({ at: 1, _id: 1 });
auditSchema.index({ actorId: 1, at: 1 });
auditSchema.index({ ownerId: 1, at: 1 });
auditSchema.index({ action: 1, at: 1 });
