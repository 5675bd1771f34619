import type { SecondFactor, User } from '../entities.ts';
import { nullableDate, nullableText, partSchema, rowSchema } from './schema.ts';

export interface UserRow extends Omit<User, 'id' | 'mfaEnabled'> {
  readonly _id: string;
  /** Here, so that it and the account are one in every write; rows from before there were any have none. */
  readonly secondFactor?: Omit<SecondFactor, 'ownerId'> | null;
  /** The username in lower case, which is what must be unique. */
  readonly usernameKey: string;
  /** The account is gone; the row stays for a while to say so (removals.ts). */
  readonly deleted: boolean;
  readonly removedAt: Date | null;
  readonly sweepAt: Date | null;
}

export const userSchema = rowSchema<UserRow>({
  username: String,
  usernameKey: String,
  email: String,
  emailVerified: Boolean,
  fullName: nullableText,
  role: String,
  status: String,
  passwordHash: String,
  createdAt: Date,
  updatedAt: Date,
  lastLoginAt: nullableDate,
  secondFactor: {
    type: partSchema({
      id: String,
      secret: String,
      keyId: String,
      enabledAt: Date,
      lastStep: Number,
      recoveryHashes: [String],
    }),
    default: null,
  },
  deleted: Boolean,
  removedAt: nullableDate,
  sweepAt: nullableDate,
});
userSchema.index({ usernameKey: 1 }, { unique: true });
userSchema.index({ email: 1 }, { unique: true });
userSchema.index({ role: 1 });
userSchema.index({ createdAt: 1, _id: 1 });
userSchema.index({ sweepAt: 1 });
userSchema.index({ 'secondFactor.keyId': 1 });
userSchema.index({ updatedAt: 1 });
