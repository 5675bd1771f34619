import { accountMailOperations } from './openapi.accountMail.ts';
import { adminOperations } from './openapi.admin.ts';
import { authOperations } from './openapi.auth.ts';
import { responsesOf, sharedResponses } from './openapi.answers.ts';
import { chatOperations } from './openapi.chat.ts';
import { controlOperations } from './openapi.control.ts';
import {
  HEADERS,
  SECURITY,
  TAGS,
  type OpenApiDocument,
  type OperationDoc,
  type ParameterDoc,
} from './openapi.document.ts';
import { buildEvents } from './openapi.events.ts';
import { loginOperations } from './openapi.logins.ts';
import { mfaOperations } from './openapi.mfa.ts';
import { oidcOperations } from './openapi.oidc.ts';
import { openAiOperations } from './openapi.openai.ts';
import type { Operation } from './openapi.operation.ts';
import { createSchemaCollection, type SchemaCollection } from './openapi.schemas.ts';
import { syncOperations } from './openapi.sync.ts';
import { systemOperations } from './openapi.system.ts';
import { usageOperations } from './openapi.usage.ts';
import { problemSchema } from './problem.ts';

export type { OpenApiDocument, OperationDoc, ResponseDoc } from './openapi.document.ts';
export type { EventDoc } from './openapi.events.ts';
export type { JsonSchema } from './openapi.schemas.ts';

/** Every endpoint of the server. A test compares it with the routers. */
export const OPERATIONS: readonly Operation[] = [
  ...chatOperations,
  ...controlOperations,
  ...syncOperations,
  ...usageOperations,
  ...authOperations,
  ...accountMailOperations,
  ...oidcOperations,
  ...loginOperations,
  ...mfaOperations,
  ...adminOperations,
  ...openAiOperations,
  ...systemOperations,
];

const SECURITY_OF: Readonly<Record<Operation['auth'], OperationDoc['security']>> = {
  none: [],
  user: [{ bearer: [] }, { cookie: [] }],
  userOrTicket: [{ bearer: [] }, { cookie: [] }, { ticket: [] }],
};

const DESCRIPTION =
  'REST, server-sent events and Socket.IO over one service layer: the same request has the same effect, ids and error ' +
  'codes whichever door it comes through. Ids are opaque strings, times are ISO 8601 in UTC, lengths count Unicode code ' +
  'points, offsets count UTF-16 code units. The API only grows: ignore fields, events and codes that you do not know.';

const parametersOf = ({ path, query, headers = {} }: Operation, schemas: SchemaCollection): ParameterDoc[] => {
  const { properties = {}, required = [] } = query ? schemas.input(query) : {};
  return [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']): ParameterDoc => ({
      name,
      in: 'path',
      required: true,
      description: 'Opaque; one that names nothing of yours is answered 404',
      schema: { type: 'string' },
    })),
    ...Object.entries(properties).map(([name, schema]): ParameterDoc => ({
      name,
      in: 'query',
      required: required.includes(name),
      schema: typeof schema === 'boolean' ? {} : schema,
    })),
    ...Object.entries(headers).map(([name, description]): ParameterDoc => ({
      name,
      in: 'header',
      required: false,
      description,
      schema: { type: 'string' },
    })),
  ];
};

const operationDoc = (operation: Operation, schemas: SchemaCollection): OperationDoc => {
  const { body, example, isForm, description } = operation;
  const parameters = parametersOf(operation, schemas);
  const mediaType = isForm ? 'application/x-www-form-urlencoded' : 'application/json';
  const media = body && { schema: schemas.input(body), ...(example ? { example } : {}) };
  return {
    operationId: operation.id,
    tags: [operation.tag],
    summary: operation.summary,
    ...(description === undefined ? {} : { description }),
    security: SECURITY_OF[operation.auth],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(media ? { requestBody: { required: true, content: { [mediaType]: media } } } : {}),
    responses: responsesOf(operation, schemas),
  };
};

export interface OpenApiOptions {
  readonly version: string;
  /** Where the server is; by default wherever the document came from. */
  readonly serverUrl?: string;
}

/** The OpenAPI 3.1 document, made from the schemas that the server checks requests with. */
export const buildOpenApi = ({ version, serverUrl = '/' }: OpenApiOptions): OpenApiDocument => {
  const schemas = createSchemaCollection();
  schemas.output(problemSchema);
  const paths: Record<string, Record<string, OperationDoc>> = {};
  for (const operation of OPERATIONS) {
    const doc = operationDoc(operation, schemas);
    paths[operation.path] = { ...paths[operation.path], [operation.method]: doc };
    for (const alias of operation.aliases ?? []) {
      paths[alias] = { ...paths[alias], [operation.method]: { ...doc, operationId: `${operation.id}Alias` } };
    }
  }
  const events = buildEvents(schemas);
  return {
    openapi: '3.1.0',
    info: { title: 'Parley', version, description: DESCRIPTION },
    servers: [{ url: serverUrl }],
    tags: TAGS,
    paths,
    components: {
      schemas: schemas.components,
      responses: sharedResponses(OPERATIONS),
      headers: HEADERS,
      securitySchemes: SECURITY,
    },
    'x-events': events,
  };
};
