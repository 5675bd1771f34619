import type { JsonSchema } from '../schemas/openapi.ts';
import { html, prose, type Html } from './docs.html.ts';

type Child = JsonSchema | boolean;

const between = (items: readonly Html[], separator: Html): Html[] =>
  items.flatMap((item, index) => (index === 0 ? [item] : [separator, item]));

const literal = (value: unknown): Html => html`<code>${JSON.stringify(value)}</code>`;

const named = (ref: string): Html => {
  const name = ref.split('/').at(-1) ?? ref;
  return html`<a href="#shape-${name}">${name}</a>`;
};

const either = (items: readonly Html[]): Html => html`${between(items, html` | `)}`;

const arrayOf = ({ items }: JsonSchema): Html =>
  html`${items === undefined || Array.isArray(items) ? 'any' : typeOf(items)}[]`;

const objectOf = ({ properties }: JsonSchema): Html =>
  properties
    ? html`{
      ${between(
        Object.keys(properties).map((key) => html`<code>${key}</code>`),
        html`, `,
      )}
      }`
    : html`object`;

/** A schema's type in a few words, with links to the shapes that have a name. */
export const typeOf = (schema: Child): Html => {
  if (typeof schema === 'boolean') return html`any`;
  const { $ref, anyOf, oneOf, type } = schema;
  const variants = anyOf ?? oneOf;
  if ($ref !== undefined) return named($ref);
  if (variants) return either(variants.map(typeOf));
  if (schema.enum) return either(schema.enum.map(literal));
  if (schema.const !== undefined) return literal(schema.const);
  if (type === 'array') return arrayOf(schema);
  if (type === 'object') return objectOf(schema);
  return html`${[type ?? 'any'].flat().join(' | ')}`;
};

const range = (low: number | undefined, high: number | undefined, unit: string): string | null => {
  if (low === undefined && high === undefined) return null;
  if (high === undefined) return `at least ${String(low)}${unit}`;
  return low === undefined ? `at most ${String(high)}${unit}` : `${String(low)}–${String(high)}${unit}`;
};

const notesOf = (schema: Child): Html[] => {
  if (typeof schema === 'boolean') return [];
  const notes = [
    schema.description ?? null,
    schema.format === undefined || schema.format === 'uuid' ? null : schema.format,
    range(schema.minLength, schema.maxLength, ' characters'),
    schema.description === undefined ? range(schema.minimum, schema.maximum, '') : null,
    schema.pattern === undefined || schema.format !== undefined ? null : `\`${schema.pattern}\``,
    schema.default === undefined ? null : `default \`${JSON.stringify(schema.default)}\``,
  ].filter((note) => note !== null);
  return prose(notes.join('; '));
};

export interface Row {
  readonly name: string;
  readonly schema: Child;
  readonly isRequired: boolean;
  readonly description?: string | undefined;
}

/** Fields as a table; nothing when there are none. */
export const fieldTable = (rows: readonly Row[]): Html =>
  rows.length === 0
    ? html``
    : html`<div class="scroll">
        <table class="fields">
          <thead>
            <tr>
              <th>Name</th>
              <th>Type</th>
              <th></th>
            </tr>
          </thead>
          <tbody>
            ${rows.map(
              ({ name, schema, isRequired, description }) =>
                html`<tr>
                  <td><code>${name}</code>${isRequired ? html` <span class="required">required</span>` : null}</td>
                  <td>${typeOf(schema)}</td>
                  <td>${prose(description ?? '')}${description === undefined ? null : ' '}${notesOf(schema)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>`;

/** The fields of an object schema. */
export const fieldsOf = ({ properties = {}, required = [] }: JsonSchema): Row[] =>
  Object.entries(properties).map(([name, schema]) => ({ name, schema, isRequired: required.includes(name) }));

/** An object as a table, variants as one table each, everything else in a line. */
export const schemaView = (schema: JsonSchema): Html => {
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants) return html`${variants.map((variant) => (typeof variant === 'boolean' ? null : schemaView(variant)))}`;
  return schema.properties ? fieldTable(fieldsOf(schema)) : html`<p>${typeOf(schema)}</p>`;
};
