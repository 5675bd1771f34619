import { describeDevice } from '../../lib/device.ts';
import type { User } from '../../models/entities.ts';
import type { AuthParts, Client } from './deps.ts';

const DAY_MS = 86_400_000;
/** How far back a device is looked for; of a busy account only the newest sign-ins. */
const HISTORY_DAYS = 90;
const HISTORY_EVENTS = 100;

/** Tells users by mail of a login on a kind of device that their sign-in history does not have. */
export const createNewLoginNotice = ({
  audit,
  clock,
  mailer,
  mailLimit,
}: Pick<AuthParts, 'audit' | 'clock' | 'mailer' | 'mailLimit'>) => {
  const isNew = async (ownerId: string, loginId: string, device: string): Promise<boolean> => {
    // What was recorded a moment ago may be what makes the device a known one.
    await audit.flush();
    const { items } = await audit.listEvents({
      ownerId,
      actions: ['login.succeeded', 'account.created'],
      from: new Date(clock.now() - HISTORY_DAYS * DAY_MS),
      limit: HISTORY_EVENTS,
    });
    return !items.some((event) => event.targetId !== loginId && describeDevice(event.device) === device);
  };

  /** @param user as it was before the login: the first one of an account is no news */
  return (user: User, loginId: string, client: Client): void => {
    if (user.lastLoginAt === null) return;
    mailer.behind(async () => {
      const device = describeDevice(client.device);
      if (!(await isNew(user.id, loginId, device))) return;
      if (!(await mailLimit.hit(`login:${user.id}`)).allowed) return;
      mailer.send(user.email, 'newLogin', { username: user.username, device, at: new Date(clock.now()) });
    });
  };
};
