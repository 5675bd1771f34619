import type { Clock } from '../../lib/clock.ts';
import type { ChatCounts, DayTotal, Stores, UserCounts } from '../../models/stores.ts';

export interface Stats extends ChatCounts {
  readonly users: UserCounts;
  /** Of this UTC day. */
  readonly usageToday: DayTotal;
  /** When it was counted. */
  readonly at: Date;
}

/** Milliseconds for which one count serves all who ask: it walks whole tables. */
const FRESH_MS = 60_000;

interface StatsOptions {
  readonly stores: Pick<Stores, 'users' | 'chats' | 'usage'>;
  readonly clock: Clock;
}

/** How much there is of everything, as it was at most a minute ago. */
export const createStats = ({ stores, clock }: StatsOptions): (() => Promise<Stats>) => {
  let last: { readonly at: number; readonly stats: Promise<Stats> } | null = null;

  const count = async (at: number): Promise<Stats> => {
    const users = await stores.users.countUsers();
    const usageToday = await stores.usage.findUsageOfDay(new Date(at).toISOString().slice(0, 10));
    return { users, ...(await stores.chats.countChats()), usageToday, at: new Date(at) };
  };

  return async () => {
    const now = clock.now();
    if (!last || now - last.at >= FRESH_MS) last = { at: now, stats: count(now) };
    const { stats } = last;
    try {
      return await stats;
    } catch (error) {
      last = null;
      throw error;
    }
  };
};
