import type { EventsDoc } from './openapi.events.ts';
import type { Tag } from './openapi.operation.ts';
import type { JsonSchema } from './openapi.schemas.ts';

export interface Reference {
  readonly $ref: string;
}

export interface MediaDoc {
  readonly schema?: JsonSchema;
  readonly example?: unknown;
}

export interface ResponseDoc {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Reference>>;
  readonly content?: Readonly<Record<string, MediaDoc>>;
}

export interface ParameterDoc {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: JsonSchema;
}

export interface OperationDoc {
  readonly operationId: string;
  readonly tags: readonly Tag[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly ParameterDoc[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, MediaDoc>> };
  readonly responses: Readonly<Record<string, ResponseDoc | Reference>>;
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly servers: readonly { readonly url: string }[];
  readonly tags: readonly { readonly name: Tag; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationDoc>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, JsonSchema>>;
    readonly responses: Readonly<Record<string, ResponseDoc>>;
    readonly headers: Readonly<Record<string, { readonly description: string; readonly schema: JsonSchema }>>;
    readonly securitySchemes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
  readonly 'x-events': EventsDoc;
}

export const TAGS: OpenApiDocument['tags'] = [
  { name: 'Chat', description: 'Chats, messages, and the replies to them' },
  { name: 'Models', description: 'Who answers' },
  { name: 'OpenAI', description: 'For clients that were made for OpenAI’s API' },
  { name: 'Usage', description: 'Tokens, cost and quotas' },
  { name: 'Accounts', description: 'Signing up, logging in, tokens' },
  { name: 'Administration', description: 'Users and what happened to their accounts, for admins' },
  { name: 'Operations', description: 'Health and documentation' },
];

export const HEADERS: OpenApiDocument['components']['headers'] = {
  'X-Request-Id': { description: 'Names this request in the server’s log', schema: { type: 'string' } },
  'Retry-After': { description: 'Seconds to wait', schema: { type: 'integer' } },
  RateLimit: {
    description: 'What is left of the limit (draft-ietf-httpapi-ratelimit-headers-08)',
    schema: { type: 'string' },
  },
  'RateLimit-Policy': { description: 'The limit', schema: { type: 'string' } },
  Location: { description: 'Where it is', schema: { type: 'string' } },
  'Set-Cookie': { description: 'The tokens, for browsers', schema: { type: 'string' } },
};

export const SECURITY: OpenApiDocument['components']['securitySchemes'] = {
  bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'The access token, or an API key' },
  cookie: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-parley_at',
    description:
      'Set by login; `parley_at` over plain http. A request that changes something must come from an allowed origin.',
  },
  ticket: { type: 'apiKey', in: 'query', name: 'ticket', description: 'From `POST /api/auth/ticket`; good once' },
};
