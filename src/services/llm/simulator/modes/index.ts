import { CONTINUING } from './continuing.ts';
import { FRAMINGS } from './framings.ts';
import { HAPPY } from './happy.ts';
import { IN_BAND } from './inBand.ts';
import { ARGUMENTS, readArgument, type Argument, type ModeTable, type PlayedMode, type Situation } from './mode.ts';
import { NETWORK } from './network.ts';
import { REFUSALS } from './refusals.ts';
import { STATEFUL } from './stateful.ts';

export type { Situation } from './mode.ts';

/** All modes, in the groups and the order of their documentation. */
export const MODE_GROUPS = {
  'Good answers': HAPPY,
  'Good answers in unusual clothes': FRAMINGS,
  'Refusals, and bodies that are no answer': REFUSALS,
  'The network': NETWORK,
  'Trouble inside the stream': IN_BAND,
  'Going on with a partial answer': CONTINUING,
  'Depending on what happened before': STATEFUL,
} as const satisfies Record<string, ModeTable>;

const MODES = new Map(Object.values(MODE_GROUPS).flatMap((table: ModeTable) => Object.entries(table)));

/** Other names of modes. */
const ALIASES: Readonly<Record<string, string>> = {
  'comments-only': 'stall-first-token-with-comments',
  'content-filter': 'content_filter',
  stall: 'stall-first-token',
};

export const DEFAULT_MODE = 'ok';

export interface ModeLine {
  readonly group: string;
  /** With its argument: `cut-after:N`. */
  readonly syntax: string;
  readonly about: string;
}

/** Every mode with its one line, for `--list-modes` and docs/simulator.md. */
export const listModes = (): readonly ModeLine[] =>
  Object.entries(MODE_GROUPS).flatMap(([group, table]: [string, ModeTable]) =>
    Object.entries(table).map(([name, { about, takes }]) => ({
      group,
      syntax: takes === undefined ? name : `${name}:${takes === 'mode' ? '<mode>' : takes}`,
      about,
    })),
  );

interface Parsed {
  readonly name: string;
  readonly spec: NonNullable<ReturnType<typeof MODES.get>>;
  readonly argument: Argument;
}

const parse = (text: string): Parsed | null => {
  const colon = text.indexOf(':');
  const given = colon === -1 ? text : text.slice(0, colon);
  const argument = colon === -1 ? '' : text.slice(colon + 1);
  const name = ALIASES[given] ?? given;
  const spec = MODES.get(name);
  if (!spec) return null;
  const fits = argument === '' || (spec.takes !== undefined && ARGUMENTS[spec.takes].test(argument));
  return fits ? { name, spec, argument: readArgument(argument) } : null;
};

export interface ChosenMode {
  readonly name: string;
  readonly argument: Argument;
  readonly mode: PlayedMode;
  /** What is played: `once:500` plays `500`. */
  readonly text: string;
}

/** `once:flap:…` may nest, but not for ever. */
const MAX_CHOICES = 8;

/** The mode that a text names in this situation: modes that choose are followed. Null when there is no such mode. */
export const findMode = (text: string, situation: Situation): ChosenMode | null => {
  let current = text;
  for (let choices = 0; choices < MAX_CHOICES; choices += 1) {
    const parsed = parse(current);
    if (parsed === null) return null;
    const { name, spec, argument } = parsed;
    if ('play' in spec) return { name, argument, mode: spec, text: current };
    current = spec.choose(situation, argument);
  }
  return null;
};

/** Whether `findMode` would know it, whatever happens. */
export const isMode = (text: string): boolean => parse(text) !== null;

/** `sim/<mode>[:argument]` names a mode; every other model answers normally. Variants (`:free`, `:nitro`) do not count. */
export const modeTextOf = (model: string): string =>
  model.startsWith('sim/') ? model.slice('sim/'.length).replace(/:(free|nitro|floor|online)$/, '') : DEFAULT_MODE;
