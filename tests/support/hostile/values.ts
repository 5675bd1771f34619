import type { Random } from '../random.ts';
import type { Schema } from './document.ts';

/** Leaves a field out. */
export const LEFT_OUT = Symbol('left out');

export interface ValueTools {
  readonly random: Random;
  readonly resolve: (schema: Schema) => Schema;
  /** What whoever asks would put under this name, such as an id of their own; undefined: whatever the schema allows. */
  readonly known: (name: string) => unknown;
}

/** How often an optional field is there. */
const OPTIONAL = 0.2;
/** Optional on paper: one of two fields that must be there, and the one of them that can be made at any time. */
const ALWAYS = new Set(['recoveryCode']);
const WORDS = ['hello', 'répondez', '数据', '🙂 ok', 'a b c', "O'Brien", '<b>x</b>', 'line\nbreak'] as const;
const DAY_MS = 86_400_000;

const between = (random: Random, min: number, max: number): number => min + random.below(Math.max(1, max - min + 1));

const textOf = (schema: Schema, random: Random): string => {
  const { minLength = 0, maxLength = 64, format, pattern } = schema;
  if (format === 'date') return new Date(Date.now() - random.below(20) * DAY_MS).toISOString().slice(0, 10);
  if (format === 'date-time') return new Date(Date.now() + between(random, 1, 300) * DAY_MS).toISOString();
  if (format === 'email') return `h${String(random.below(1e9))}@example.com`;
  if (format === 'uuid') return '01900000-0000-7000-8000-000000000000';
  if (pattern !== undefined) return `h_${String(random.below(1e9))}`.slice(0, maxLength);
  return random.pick(WORDS).padEnd(minLength, 'x').slice(0, maxLength);
};

const numberOf = ({ type, minimum = 0, maximum = 100 }: Schema, random: Random): number => {
  const number = between(random, Math.ceil(minimum), Math.min(Math.floor(maximum), Math.ceil(minimum) + 100));
  return type === 'integer' || random.isTrue(0.5) ? number : Math.min(number + 0.5, maximum);
};

const objectOf = (schema: Schema, tools: ValueTools): unknown => {
  const { properties = {}, required = [] } = schema;
  const names = Object.keys(properties);
  const wanted = names.filter((name) => required.includes(name) || ALWAYS.has(name) || tools.random.isTrue(OPTIONAL));
  // What changes nothing is often refused.
  if (wanted.length === 0 && names.length > 0) wanted.push(tools.random.pick(names));
  const entries = wanted.map((name) => [name, validValue(properties[name], name, tools)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== LEFT_OUT));
};

const byType: Readonly<Record<string, (schema: Schema, name: string, tools: ValueTools) => unknown>> = {
  string: (schema, _name, { random }) => textOf(schema, random),
  number: (schema, _name, { random }) => numberOf(schema, random),
  integer: (schema, _name, { random }) => numberOf(schema, random),
  boolean: (_schema, _name, { random }) => random.isTrue(0.5),
  null: () => null,
  array: ({ items = {}, minItems = 0 }, name, tools) =>
    Array.from({ length: between(tools.random, Math.max(minItems, 1), minItems + 2) }, () =>
      validValue(items, name, tools),
    ),
  object: (schema, _name, tools) => objectOf(schema, tools),
};

const typeOf = (schema: Schema, random: Random): string => {
  if (Array.isArray(schema.type)) return random.pick(schema.type);
  return schema.type ?? (schema.properties ? 'object' : 'string');
};

/** A value that the schema allows, and that makes sense for who sends it. */
export const validValue = (given: Schema, name: string, tools: ValueTools): unknown => {
  const schema = tools.resolve(given);
  const known = tools.known(name);
  if (known !== undefined) return known;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return tools.random.pick(schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return validValue(tools.random.pick(choices), name, tools);
  return byType[typeOf(schema, tools.random)]?.(schema, name, tools);
};

const textAtBound = ({ minLength = 0, maxLength = 64 }: Schema, random: Random): string => {
  const letter = random.pick(['x', 'é', '🙂']);
  const lengths = [minLength - 1, minLength, maxLength, maxLength + 1].filter((length) => length >= 0);
  return letter.repeat(random.pick(lengths));
};

const itemsAtBound = ({ minItems = 0, maxItems = 10, items = {} }: Schema, tools: ValueTools): unknown[] => {
  const length = tools.random.pick([minItems - 1, minItems, maxItems, maxItems + 1]);
  return Array.from({ length: Math.max(0, length) }, () => validValue(items, '', tools));
};

const numberAtBound = ({ minimum = 0, maximum = 100 }: Schema, random: Random): number =>
  random.pick([minimum - 1, minimum, maximum, maximum + 1, maximum + 0.5, -0]);

/** A value at, or just past, a bound of the schema. */
export const boundaryValue = (given: Schema, tools: ValueTools): unknown => {
  const schema = tools.resolve(given);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return boundaryValue(tools.random.pick(choices), tools);
  if (schema.type === 'array') return itemsAtBound(schema, tools);
  if (schema.type === 'integer' || schema.type === 'number') return numberAtBound(schema, tools.random);
  return schema.type === 'string' ? textAtBound(schema, tools.random) : null;
};
