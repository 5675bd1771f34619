import type { Random } from '../random.ts';

/** A place in a JSON value where something else could stand. */
export interface Slot {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/** Every member and item below a value. */
export const slotsOf = (value: unknown): Slot[] => {
  if (value === null || typeof value !== 'object') return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...slotsOf(holder[key])]);
};

/** Puts another value somewhere; whether there was a place. */
export const replaceSomewhere = (body: unknown, value: (old: unknown) => unknown, random: Random): boolean => {
  const slots = slotsOf(body);
  if (slots.length === 0) return false;
  const { holder, key } = random.pick(slots);
  holder[key] = value(holder[key]);
  return true;
};

/** Takes a member away. */
export const dropSomewhere = (body: unknown, random: Random): boolean => {
  const slots = slotsOf(body).filter(({ holder }) => !Array.isArray(holder));
  if (slots.length === 0) return false;
  const { holder, key } = random.pick(slots);
  return Reflect.deleteProperty(holder, key);
};
