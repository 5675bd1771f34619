import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** A JSON Schema as it stands in the document. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the document is data
export type Schema = any;

export interface Param {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly schema: Schema;
}

/** One operation of an OpenAPI document, ready to make requests from and to check answers with. */
export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly params: readonly Param[];
  readonly body: Schema;
  readonly isForm: boolean;
  readonly needsLogin: boolean;
  readonly statuses: ReadonlySet<number>;
  /** Whether a JSON body has the documented shape. */
  readonly acceptsBody: (value: unknown) => boolean;
  /** What is wrong with an answer; null when it is as documented. */
  readonly faultOf: (status: number, contentType: string, text: string) => string | null;
}

export interface ApiDocument {
  readonly operations: readonly Operation[];
  /** The methods that an address knows, in capitals. */
  readonly methodsOf: (path: string) => readonly string[];
  readonly resolve: (schema: Schema) => Schema;
  /** What clients may ask over a socket: the schema of each event's payload. */
  readonly clientEvents: Readonly<Record<string, Schema>>;
}

/** Shapes that say themselves that more may come with them. */
const OPEN = new Set(['Problem']);

/**
 * The API only grows, so documented answers are open. Here each object is closed: a field that the server sends and the
 * document does not know is either a leak or undocumented.
 */
const closed = (schema: Schema, name = ''): Schema => {
  if (schema === null || typeof schema !== 'object') return schema;
  if (Array.isArray(schema)) return schema.map((item) => closed(item));
  const isWhole = schema.properties !== undefined && schema.additionalProperties === undefined && !OPEN.has(name);
  const entries = Object.entries<Schema>(schema).map(([key, value]) => {
    if (key === 'properties' || key === 'schemas') return [key, closedEach(value)];
    return [key, key === 'allOf' ? value : closed(value)];
  });
  const copy = Object.fromEntries(entries);
  return isWhole && schema.allOf === undefined ? { ...copy, additionalProperties: false } : copy;
};
const closedEach = (schemas: Schema): Schema =>
  Object.fromEntries(Object.entries(schemas).map(([key, value]) => [key, closed(value, key)]));

const isJson = (mediaType: string): boolean => /^application\/(\w+\+)?json$/.test(mediaType);

interface Answering {
  readonly contentOf: (status: number) => Schema;
  readonly validatorOf: (status: number, mediaType: string) => ValidateFunction | null;
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const describeError = ({ errors }: ValidateFunction): string => {
  const [error] = errors ?? [];
  return `shape: ${String(error?.instancePath)} ${String(error?.message)} ${JSON.stringify(error?.params)}`;
};

/** What is wrong with a JSON text. */
const jsonFault = (text: string, validate: ValidateFunction | null): string | null => {
  const value = parse(text);
  if (value === undefined) return 'no JSON';
  return !validate || validate(value) ? null : describeError(validate);
};

const faultIn =
  ({ contentOf, validatorOf }: Answering) =>
  (status: number, contentType: string, text: string) => {
    const mediaType = contentType.toLowerCase().split(';', 1).join('').trim();
    const content = contentOf(status);
    if (content === undefined) return text === '' ? null : 'a body where none is documented';
    if (content[mediaType] === undefined) return `content type ${contentType || '(none)'}`;
    return isJson(mediaType) ? jsonFault(text, validatorOf(status, mediaType)) : null;
  };

/** Reads an OpenAPI 3.1 document. */
export const readDocument = (document: Schema): ApiDocument => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: false });
  const components = closed(document.components);
  const compile = (schema: Schema, parts: Schema): ValidateFunction => ajv.compile({ ...schema, components: parts });
  const lookUp = (ref: string): Schema =>
    ref
      .slice(2)
      .split('/')
      .reduce((value: Schema, key) => value?.[key], document);
  const resolve = (schema: Schema): Schema =>
    typeof schema?.$ref === 'string' ? resolve(lookUp(schema.$ref)) : schema;

  const answering = (responses: Schema): Answering => {
    const validators = new Map<string, ValidateFunction>();
    const contentOf = (status: number): Schema => resolve(responses[status])?.content;
    return {
      contentOf,
      validatorOf: (status, mediaType) => {
        const schema = contentOf(status)[mediaType]?.schema;
        if (schema === undefined) return null;
        const key = `${String(status)} ${mediaType}`;
        const validator = validators.get(key) ?? compile(closed(schema), components);
        validators.set(key, validator);
        return validator;
      },
    };
  };

  const toOperation = (path: string, method: string, item: Schema): Operation => {
    const content = item.requestBody?.content ?? {};
    const [mediaType = ''] = Object.keys(content);
    const body = content[mediaType]?.schema;
    const accepts = body === undefined ? null : compile(body, document.components);
    return {
      id: item.operationId,
      method: method.toUpperCase(),
      path,
      params: item.parameters ?? [],
      body,
      isForm: mediaType.includes('form'),
      needsLogin: item.security?.length > 0,
      statuses: new Set(Object.keys(item.responses).map(Number)),
      acceptsBody: (value) => accepts === null || accepts(value),
      faultOf: faultIn(answering(item.responses)),
    };
  };

  const operations = Object.entries<Schema>(document.paths).flatMap(([path, item]) =>
    Object.entries<Schema>(item).map(([method, operation]) => toOperation(path, method, operation)),
  );
  return {
    operations,
    methodsOf: (path) => Object.keys(document.paths[path] ?? {}).map((method) => method.toUpperCase()),
    resolve,
    clientEvents: Object.fromEntries(
      Object.entries<Schema>(document['x-events'].clientToServer).map(([event, { payload }]) => [event, payload]),
    ),
  };
};
