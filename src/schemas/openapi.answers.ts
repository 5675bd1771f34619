import { ERROR_CODES, errorSpec, type ErrorCode } from '../lib/errorCodes.ts';
import { oauthErrorSchema } from './oauth.schemas.ts';
import { openAiErrorSchema } from './openai.errors.ts';
import type { MediaDoc, OperationDoc, Reference, ResponseDoc } from './openapi.document.ts';
import type { Answer, Operation } from './openapi.operation.ts';
import type { SchemaCollection } from './openapi.schemas.ts';

const isApi = ({ path, tag }: Operation): boolean => /^\/(api|v1)\//.test(path) && tag !== 'Operations';

/** The codes that follow from an operation's kind. */
const commonErrors = (operation: Operation): readonly ErrorCode[] => {
  if (!isApi(operation)) return ['INTERNAL'];
  const changes = operation.method !== 'get';
  const hasInput = operation.query !== undefined || operation.body !== undefined || operation.path.includes('{');
  return [
    'NOT_ACCEPTABLE',
    'RATE_LIMITED',
    'INTERNAL',
    'STORE_UNAVAILABLE',
    'SHUTTING_DOWN',
    ...(hasInput && !operation.isForm ? (['VALIDATION_FAILED'] as const) : []),
    ...(changes ? (['ORIGIN_NOT_ALLOWED', 'PAYLOAD_TOO_LARGE'] as const) : []),
    ...(changes && !operation.isForm ? (['MALFORMED_JSON', 'UNSUPPORTED_MEDIA_TYPE'] as const) : []),
    ...(operation.auth === 'none'
      ? []
      : (['UNAUTHENTICATED', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_REVOKED', 'FORBIDDEN'] as const)),
  ];
};

const headerRefs = (names: readonly string[]): NonNullable<ResponseDoc['headers']> =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

const problemResponse = (codes: readonly ErrorCode[]): ResponseDoc => {
  const waits = codes.some((code) => [429, 503].includes(errorSpec(code).status));
  return {
    description: codes.map((code) => `\`${code}\`: ${ERROR_CODES[code].title}`).join('. '),
    headers: headerRefs(['X-Request-Id', ...(waits ? ['Retry-After'] : [])]),
    content: {
      'application/problem+json': {
        schema: { allOf: [{ $ref: '#/components/schemas/Problem' }], properties: { code: { enum: [...codes] } } },
      },
    },
  };
};

/** An operation's refusals: for each status the codes that it can have. */
const refusalsOf = (operation: Operation): readonly (readonly [status: number, codes: readonly ErrorCode[]])[] => {
  const codes = [...new Set([...operation.errors, ...commonErrors(operation)])];
  const statuses = [...new Set(codes.map((code) => errorSpec(code).status))].sort((a, b) => a - b);
  return statuses.map((status) => [status, codes.filter((code) => errorSpec(code).status === status)]);
};

/** The same codes are the same answer wherever they occur, written once. */
const nameOf = (codes: readonly ErrorCode[]): string => codes.join('.');

const problemResponses = (operation: Operation): OperationDoc['responses'] =>
  Object.fromEntries(
    refusalsOf(operation).map(([status, codes]) => [status, { $ref: `#/components/responses/${nameOf(codes)}` }]),
  );

/** What the answers of operations refer to. */
export const sharedResponses = (operations: readonly Operation[]): Readonly<Record<string, ResponseDoc>> => {
  const shared: Record<string, ResponseDoc> = {};
  for (const operation of operations) {
    if (operation.isOpenAi) continue;
    const isReplaced = (status: number): boolean =>
      Object.hasOwn(operation.answers, status) || (operation.isForm === true && status === 400);
    for (const [status, codes] of refusalsOf(operation)) {
      if (!isReplaced(status)) shared[nameOf(codes)] = problemResponse(codes);
    }
  }
  return shared;
};

const eventsOf = ({ isOpenAi }: Operation): string =>
  isOpenAi ? 'OpenAI’s chunks, `[DONE]` last' : 'Events: see `x-events.sse`';

/** What can go wrong at a door in OpenAI's shape; the SDKs go by the status. */
const OPENAI_REFUSALS: Readonly<Record<number, string>> = {
  400: '`invalid_value` names the field in `param`; `context_length_exceeded`; `model_refused`',
  401: '`invalid_api_key`',
  403: 'The API key does not have the scope, or the page’s origin is not allowed',
  404: '`model_not_found`',
  413: '`request_too_large`',
  415: 'The body must be JSON in UTF-8',
  429: '`rate_limit_exceeded`, `insufficient_quota`',
  500: '`internal_error`',
  502: '`bad_gateway`: the models that were asked did not answer well',
  503: '`overloaded`: no model is available, or the server is restarting',
  504: '`timeout`: the models that were asked did not answer in time',
};
const STATUSES_OF_READS = new Set(['401', '403', '404', '429', '500', '503']);

const openAiRefusals = ({ method, path }: Operation, schemas: SchemaCollection): OperationDoc['responses'] =>
  Object.fromEntries(
    Object.entries(OPENAI_REFUSALS)
      .filter(
        ([status]) => method === 'post' || STATUSES_OF_READS.has(status) || (status === '400' && path.includes('{')),
      )
      .map(([status, description]): readonly [string, ResponseDoc] => [
        status,
        {
          description,
          headers: headerRefs(['X-Request-Id', ...(['429', '503'].includes(status) ? ['Retry-After'] : [])]),
          content: { 'application/json': { schema: schemas.output(openAiErrorSchema) } },
        },
      ]),
  );

const goodResponse = (answer: Answer, operation: Operation, schemas: SchemaCollection): ResponseDoc => {
  const { schema, mediaType, isEventStream, headers = [] } = answer;
  const content: Record<string, MediaDoc> = {
    ...(schema ? { 'application/json': { schema: schemas.output(schema) } } : {}),
    ...(mediaType ? { [mediaType]: {} } : {}),
    ...(isEventStream ? { 'text/event-stream': { schema: { type: 'string', description: eventsOf(operation) } } } : {}),
  };
  return {
    description: answer.description,
    headers: headerRefs(['X-Request-Id', ...(isApi(operation) ? ['RateLimit', 'RateLimit-Policy'] : []), ...headers]),
    ...(Object.keys(content).length > 0 ? { content } : {}),
  };
};

/** Every answer of an operation, good and bad, by status. */
export const responsesOf = (operation: Operation, schemas: SchemaCollection): OperationDoc['responses'] => {
  const responses: Record<string, ResponseDoc | Reference> = {
    ...(operation.isOpenAi ? openAiRefusals(operation, schemas) : problemResponses(operation)),
  };
  if (operation.isForm) {
    responses['400'] = {
      description: 'RFC 6749 §5.2',
      headers: headerRefs(['X-Request-Id']),
      content: { 'application/json': { schema: schemas.output(oauthErrorSchema) } },
    };
  }
  for (const [status, answer] of Object.entries(operation.answers)) {
    responses[status] = goodResponse(answer, operation, schemas);
  }
  return responses;
};
