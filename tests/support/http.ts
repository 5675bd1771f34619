import { secretWatch } from './canaries/watch.ts';

/** Good under every rule, and the same for all test users. */
export const PASSWORD = 'Canary-Horse-7';
secretWatch.addSecret('a password', PASSWORD);

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // A test looks at what it expects to be there; a wrong shape fails its expectation.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

/** One call; a body is sent as JSON. */
export const call = async (url: string, init: RequestInit & { json?: unknown } = {}): Promise<Answer> => {
  const { json, ...rest } = init;
  const headers = new Headers(rest.headers);
  if (json !== undefined) headers.set('Content-Type', 'application/json');
  const response = await fetch(url, {
    ...rest,
    headers,
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('Content-Type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson && text !== '' ? JSON.parse(text) : text };
};
