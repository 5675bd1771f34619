import type { OperationDoc } from '../schemas/openapi.ts';

/** One operation at one address. */
export interface Entry {
  readonly method: string;
  readonly path: string;
  readonly operation: OperationDoc;
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const urlOf = ({ path, operation }: Entry, origin: string): string => {
  const required = (operation.parameters ?? []).filter((item) => item.in === 'query' && item.required);
  const query = required.map(({ name }) => `${name}=${name.toUpperCase()}`).join('&');
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase());
  return `${origin}${filled}${query === '' ? '' : `?${query}`}`;
};

const bodyOf = ({ operation }: Entry): string[] => {
  const [type, media] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (type === undefined) return [];
  const example: unknown = media?.example ?? {};
  if (type.endsWith('json')) return [`-H 'Content-Type: application/json' -d ${quoted(JSON.stringify(example))}`];
  const fields = typeof example === 'object' && example !== null ? Object.entries(example) : [];
  return fields.map(([name, value]) => `--data-urlencode ${quoted(`${name}=${String(value)}`)}`);
};

/** A line for a shell that does what the operation says; words in capitals are for the reader to fill in. */
export const curl = (entry: Entry, origin: string): string => {
  const { method, path, operation } = entry;
  const command = [
    'curl',
    ...(path.endsWith('/stream') ? ['-N'] : []),
    ...(method === 'get' ? [] : ['-X', method.toUpperCase()]),
  ];
  return [
    `${command.join(' ')} ${quoted(urlOf(entry, origin))}`,
    ...(operation.security.length > 0 ? ['-H "Authorization: Bearer $TOKEN"'] : []),
    ...bodyOf(entry),
  ].join(' \\\n  ');
};
