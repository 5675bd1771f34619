import { readDuration } from '../timing.ts';
import type { Argument, ModeTable, Situation } from './mode.ts';

const HEALTHY = 'ok';
const DOWN = '503';

/** The parts between commas; the last keeps its own. */
const partsOf = ({ text }: Argument, count: number): readonly string[] => {
  const parts = text.split(',');
  return parts.length <= count ? parts : [...parts.slice(0, count - 1), parts.slice(count - 1).join(',')];
};

const msOf = (text: string | undefined, fallback: number): number =>
  text ? (readDuration(text) ?? fallback) : fallback;

const flap = ({ now, firstCallAt, scale, outageMs }: Situation, argument: Argument): string => {
  const [down, up, mode = DOWN] = partsOf(argument, 3);
  const downMs = msOf(down, outageMs) * scale;
  const upMs = msOf(up, outageMs) * scale;
  return (now - firstCallAt) % (downMs + upMs) < downMs ? mode : HEALTHY;
};

const outage = ({ now, firstCallAt, scale, outageMs }: Situation, argument: Argument): string => {
  const [duration, mode = DOWN] = partsOf(argument, 2);
  return now - firstCallAt < msOf(duration, outageMs) * scale ? mode : HEALTHY;
};

/** Modes that choose another one by what happened before. */
export const STATEFUL: ModeTable = {
  once: {
    about: 'the mode for the first call of the model, then `ok`',
    takes: 'mode',
    choose: ({ call }, { text }) => (call === 1 ? text || DOWN : HEALTHY),
  },
  down: {
    about: 'the mode (`503`) for so long from the first call on (full 60 s, fast 6 s), then `ok`',
    takes: 'duration[,mode]',
    choose: outage,
  },
  flap: {
    about: 'down (the mode, `503`) and up in turns, from the first call on',
    takes: 'down,up[,mode]',
    choose: flap,
  },
  concurrency: {
    about: '`429-upstream` (or the mode) for calls beyond N (1) at the same time',
    takes: 'N[,mode]',
    choose: ({ inFlight }, argument) => {
      const [limit, mode = '429-upstream'] = partsOf(argument, 2);
      return inFlight > Number(limit || 1) ? mode : HEALTHY;
    },
  },
  credits: {
    about: '`402` once all calls have cost N (0) millionths of a dollar',
    takes: 'N',
    choose: ({ spentMicroUsd }, argument) => (spentMicroUsd >= argument.count(0) ? '402' : HEALTHY),
  },
  'free-pool': {
    about: 'counts in the pool of all `:free` models: 20 a minute, 50 a day, then `429-platform`, `429-day`',
    choose: () => HEALTHY,
  },
};
