import { z } from 'zod';

/** A JSON Schema as it stands in the document. */
export type JsonSchema = z.core.JSONSchema.BaseSchema;
type Child = z.core.JSONSchema._JSONSchema;

/** The schemas of one document: each is written once under its name, and everything else refers to it. */
export interface SchemaCollection {
  /** What a client may send. */
  input(schema: z.ZodType): JsonSchema;
  /** What the server answers: open for fields to come, because the API only grows. */
  output(schema: z.ZodType): JsonSchema;
  readonly components: Readonly<Record<string, JsonSchema>>;
}

/** zod writes the bounds of JavaScript's integers into every integer; they say nothing about the API. */
const dropIntegerBounds = (schema: JsonSchema): void => {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
};

const childrenOf = ({ properties, items, anyOf, oneOf, allOf }: JsonSchema): readonly Child[] => [
  ...Object.values(properties ?? {}),
  ...[items ?? []].flat(),
  ...(anyOf ?? []),
  ...(oneOf ?? []),
  ...(allOf ?? []),
];

/** Turns the references of a lone schema into those of a document, in place. */
const pointAtComponents = (schema: Child): void => {
  if (typeof schema === 'boolean') return;
  if (schema.$ref !== undefined) schema.$ref = schema.$ref.replace('#/$defs/', '#/components/schemas/');
  childrenOf(schema).forEach(pointAtComponents);
};

export const createSchemaCollection = (): SchemaCollection => {
  const components: Record<string, JsonSchema> = {};

  const add = (schema: z.ZodType, io: 'input' | 'output'): JsonSchema => {
    const {
      $schema: _dialect,
      $defs,
      ...root
    } = z.toJSONSchema(schema, {
      io,
      override: ({ jsonSchema }) => {
        dropIntegerBounds(jsonSchema);
        if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      },
    });
    for (const [name, definition] of Object.entries($defs ?? {})) {
      pointAtComponents(definition);
      components[name] = definition;
    }
    pointAtComponents(root);
    return root;
  };

  return { input: (schema) => add(schema, 'input'), output: (schema) => add(schema, 'output'), components };
};
