import { ERROR_CODES } from '../../../src/lib/errorCodes.ts';
import type { Draft } from './draft.ts';
import { POLLUTION } from './evil.ts';
import type { WireAnswer } from './wire.ts';

/** What a client must never read: stack frames, files, the names of what the server is made of. */
export const INTERNALS =
  /\bat \S+ \(|node_modules|node:internal|\.(ts|js):\d+|SQLITE|sqlite|mongo|ZodError|TypeError|RangeError|ReferenceError|\/work\/|\/home\/|\/usr\/|ECONNREFUSED/i;
/** Statuses that HTTP itself gives before the application sees the request (RFC 9110); without a body. */
const PROTOCOL = new Set([400, 408, 413, 414, 417, 431, 501, 505]);
/** What an address or a method that is none may be answered. */
const ADDRESS = new Set([204, 400, 401, 403, 404, 405, 406, 413, 415]);
const PROBLEM_FIELDS = ['type', 'title', 'status', 'code', 'detail', 'requestId', 'retryable'];

// What a server sends is looked at, whatever it is.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const parse = (text: string): any => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};

/** What is wrong with a problem, at whatever door. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export const problemFault = (value: any): string | null => {
  if (value === null || typeof value !== 'object') return 'an error that is no problem';
  const missing = PROBLEM_FIELDS.filter((field) => value[field] === undefined);
  if (missing.length > 0) return `a problem without ${missing.join(', ')}`;
  if (!Object.hasOwn(ERROR_CODES, value.code)) return `the unknown code ${String(value.code)}`;
  return value.type === `/docs/errors#${String(value.code)}` ? null : `the type ${String(value.type)}`;
};

/** What is wrong with an error's body: a problem, or, at `/v1`, an error as OpenAI's SDKs read it. */
const errorFault = (status: number, body: string): string | null => {
  const value = parse(body);
  if (typeof value?.error === 'object') return typeof value.error?.code === 'string' ? null : 'an error without a code';
  const fault = problemFault(value);
  return fault ?? (value.status === status ? null : `a problem of the status ${String(value.status)}`);
};

const isProtocolAnswer = (draft: Draft, { status, text }: WireAnswer): boolean =>
  draft.expects === 'protocol' && PROTOCOL.has(status) && text === '';

/** What is wrong with an answer whose status the operation documents. */
const documentedFault = (draft: Draft, { status, headers, text }: WireAnswer, isElsewhere: boolean): string | null => {
  const fault = draft.operation.faultOf(status, headers['content-type'] ?? '', text);
  return isElsewhere && fault !== null && status >= 400 ? errorFault(status, text) : fault;
};

/** What is wrong with the status and the body. */
const shapeFault = (draft: Draft, answer: WireAnswer): string | null => {
  const { status, text } = answer;
  const { operation, method } = draft;
  if (isProtocolAnswer(draft, answer)) return null;
  // The address may know GET besides, of which this is the head.
  if (method === 'HEAD') return text === '' ? null : 'HEAD with a body';
  const isElsewhere = draft.expects !== 'documented' && ADDRESS.has(status);
  if (operation.statuses.has(status) && method === operation.method) return documentedFault(draft, answer, isElsewhere);
  if (!isElsewhere) return 'undocumented status';
  return status === 204 ? null : errorFault(status, text);
};

const SHORTAGES = new Set([429, 503]);

/** Whether a page of a hostile origin may read the answer. */
const isOpenToOthers = ({ headers: sent }: Draft, allowed: string | undefined): boolean => {
  const origin = sent.findLast(([name]) => name === 'Origin')?.[1] ?? '';
  return allowed === '*' || (allowed !== undefined && /evil|null/.test(origin));
};

/** What must hold of every answer's headers. */
const HEADER_RULES: readonly (readonly [fault: string, isBroken: (draft: Draft, answer: WireAnswer) => boolean])[] = [
  ['no X-Request-Id', (_draft, { headers }) => headers['x-request-id'] === undefined],
  ['no nosniff', (_draft, { headers }) => headers['x-content-type-options'] !== 'nosniff'],
  ['X-Powered-By', (_draft, { headers }) => headers['x-powered-by'] !== undefined],
  ['405 without Allow', (_draft, { status, headers }) => status === 405 && !/^[A-Z, ]+$/.test(headers.allow ?? '')],
  ['no Retry-After', (_draft, { status, headers }) => SHORTAGES.has(status) && headers['retry-after'] === undefined],
  [
    'CORS allows a hostile origin',
    (draft, { headers }) => isOpenToOthers(draft, headers['access-control-allow-origin']),
  ],
];

const headerFaults = (draft: Draft, answer: WireAnswer): readonly string[] =>
  HEADER_RULES.filter(([, isBroken]) => isBroken(draft, answer)).map(([fault]) => fault);

/** A JSON body that says all of itself. Items of a batch are answered one by one. */
const isPlainBody = ({ operation, rawBody, members, method }: Draft): boolean =>
  method === operation.method &&
  operation.body !== undefined &&
  !operation.isForm &&
  operation.id !== 'sendBatch' &&
  rawBody === null &&
  members.length === 0;

/** Whether the server took what its own document calls wrong. */
const isWronglyAccepted = (draft: Draft, status: number): boolean =>
  status < 300 && isPlainBody(draft) && !draft.operation.acceptsBody(JSON.parse(JSON.stringify(draft.body ?? {})));

const foreignCanary = ({ actor }: Draft, text: string): string | undefined =>
  [...text.matchAll(/canary-[0-9a-f]{12}/g)].map(([canary]) => canary).find((canary) => canary !== actor.canary);

/** What must hold of every answer's text. */
const TEXT_RULES: readonly (readonly [fault: string, isBroken: (draft: Draft, answer: WireAnswer) => boolean])[] = [
  ['internals in an error', (_draft, { status, text }) => status >= 400 && INTERNALS.test(text)],
  ['somebody else’s data', (draft, { text }) => foreignCanary(draft, text) !== undefined],
  ['a prototype was changed', (_draft, { status, text }) => status < 300 && text.includes(POLLUTION)],
  ['accepted what the document refuses', (draft, { status }) => isWronglyAccepted(draft, status)],
];

/** Everything that is wrong with an answer. */
export const faultsOf = (draft: Draft, answer: WireAnswer): readonly string[] => {
  if (answer.status >= 500) return ['5xx'];
  const shape = shapeFault(draft, answer);
  return [
    ...(shape === null ? [] : [shape]),
    ...(isProtocolAnswer(draft, answer) ? [] : headerFaults(draft, answer)),
    ...TEXT_RULES.filter(([, isBroken]) => isBroken(draft, answer)).map(([fault]) => fault),
  ];
};
