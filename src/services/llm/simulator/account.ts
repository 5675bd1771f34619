import { isFree } from './catalogue.ts';

/** OpenRouter's limits on all `:free` models together (openrouter.ai/docs, "Limits"). */
export interface FreeLimits {
  readonly perMinute: number;
  readonly perDay: number;
}

export const FREE_LIMITS: FreeLimits = { perMinute: 20, perDay: 50 };

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export type FreeRefusal = '429-platform' | '429-day';

/** What all calls of one key share. Times are milliseconds since the epoch. */
export interface Account {
  readonly limits: FreeLimits;
  /** The end of the running minute of the free pool, which begins with its first call. */
  minuteEndsAt(): number;
  /** The next midnight, UTC. */
  dayEndsAt(): number;
  usedToday(): number;
  /** Counts a call of the free pool, or says which limit refuses it; a refused call does not count. */
  admitFree(): FreeRefusal | null;
  clear(): void;
}

interface AccountOptions {
  readonly now: () => number;
  readonly limits: () => FreeLimits;
}

interface Window {
  readonly startedAt: number;
  readonly used: number;
}

const UNUSED: Window = { startedAt: -Infinity, used: 0 };

export const createAccount = ({ now, limits }: AccountOptions): Account => {
  let minute = UNUSED;
  let day = UNUSED;

  const currentMinute = () => {
    if (now() >= minute.startedAt + MINUTE_MS) minute = { startedAt: now(), used: 0 };
    return minute;
  };
  const currentDay = () => {
    const startedAt = Math.floor(now() / DAY_MS) * DAY_MS;
    if (startedAt !== day.startedAt) day = { startedAt, used: 0 };
    return day;
  };

  return {
    get limits() {
      return limits();
    },
    minuteEndsAt: () => (minute.startedAt + MINUTE_MS > now() ? minute.startedAt : now()) + MINUTE_MS,
    dayEndsAt: () => currentDay().startedAt + DAY_MS,
    usedToday: () => currentDay().used,
    admitFree: () => {
      if (currentDay().used >= limits().perDay) return '429-day';
      if (currentMinute().used >= limits().perMinute) return '429-platform';
      minute = { ...minute, used: minute.used + 1 };
      day = { ...day, used: day.used + 1 };
      return null;
    },
    clear: () => {
      minute = UNUSED;
      day = UNUSED;
    },
  };
};

/** Whether calls of the model count in the free pool: its name says so, or its mode. */
export const isPooled = (model: string, modeText: string): boolean => isFree(model) || modeText === 'free-pool';

interface KeyFigures {
  readonly account: Account;
  readonly spentMicroUsd: number;
  readonly creditMicroUsd: number | null;
}

const toUsd = (microUsd: number): number => microUsd / 1e6;

/** The answer of `GET /key`. All that was spent since the start or the last reset counts as today's. */
export const keyView = ({ account, spentMicroUsd, creditMicroUsd }: KeyFigures) => {
  const usage = toUsd(spentMicroUsd);
  const used = account.usedToday();
  return {
    data: {
      label: 'sk-or-v1-sim...ulator',
      limit: creditMicroUsd === null ? null : toUsd(creditMicroUsd),
      limit_remaining: creditMicroUsd === null ? null : toUsd(creditMicroUsd - spentMicroUsd),
      limit_reset: null,
      usage,
      usage_daily: usage,
      usage_weekly: usage,
      usage_monthly: usage,
      byok_usage: 0,
      is_free_tier: account.limits.perDay <= FREE_LIMITS.perDay,
      is_management_key: false,
      include_byok_in_limit: false,
      expires_at: null,
      free_model_daily_requests: {
        limit: account.limits.perDay,
        used,
        remaining: Math.max(0, account.limits.perDay - used),
      },
      rate_limit: { requests: -1, interval: '10s', note: 'This field is deprecated and safe to ignore.' },
    },
  };
};

/** What `GET /credits` says where no credit is set. */
const PLENTY_USD = 1000;

/** The answer of `GET /credits`. */
export const creditsView = ({ spentMicroUsd, creditMicroUsd }: KeyFigures) => ({
  data: {
    total_credits: creditMicroUsd === null ? PLENTY_USD : toUsd(creditMicroUsd),
    total_usage: toUsd(spentMicroUsd),
  },
});
