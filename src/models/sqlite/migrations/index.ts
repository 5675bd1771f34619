import { start } from './0001-start.ts';
import { sync } from './0002-sync.ts';
import { feedback } from './0003-feedback.ts';
import { usage } from './0004-usage.ts';
import { accounts } from './0005-accounts.ts';
import { mail } from './0006-mail.ts';
import { secondFactor } from './0007-second-factor.ts';
import { identities } from './0008-identities.ts';
import { endedAnswers } from './0009-ended-answers.ts';

/** In order: the database's `user_version` is how many of them it has. */
export const MIGRATIONS: readonly string[] = [
  start,
  sync,
  feedback,
  usage,
  accounts,
  mail,
  secondFactor,
  identities,
  endedAnswers,
];

/** What `PRAGMA application_id` says of a database of ours ("PARL"). */
export const APPLICATION_ID = 0x5041524c;
