import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { ERROR_CODES } from '../../src/lib/errorCodes.ts';
import { buildOpenApi, OPERATIONS } from '../../src/schemas/openapi.ts';

const document = buildOpenApi({ version: '1.2.3' });
const json = JSON.stringify(document);
const operations = Object.values(document.paths).flatMap((item) => Object.values(item));

/** What a `#/a/b` reference leads to. */
const resolve = (ref: string): unknown =>
  ref
    .slice(2)
    .split('/')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);

describe('buildOpenApi', () => {
  test('the document, checked against the OpenAPI 3.1 schema, is valid', async () => {
    const result = await new Validator().validate(JSON.parse(json));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
  });

  test('every reference, followed, leads somewhere', () => {
    const refs = [...json.matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref = '']) => ref);
    expect(refs.length).toBeGreaterThan(50);
    expect([...new Set(refs)].filter((ref) => !ref.startsWith('#/') || resolve(ref) === undefined)).toEqual([]);
    expect(json).not.toContain('$defs');
  });

  test('every shared schema and answer, counted, is used', () => {
    for (const kind of ['schemas', 'responses'] as const) {
      const names = Object.keys(document.components[kind]);
      expect(names.filter((name) => !json.includes(`"#/components/${kind}/${name}"`))).toEqual([]);
    }
  });

  test('operation ids, compared, are unique, and every operation has a summary and a good answer', () => {
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
    for (const { summary, responses } of operations) {
      expect(summary).not.toBe('');
      expect(Object.keys(responses).some((status) => /^[23]/.test(status))).toBe(true);
    }
  });

  test('error answers, compared with the table of codes, stand under their own status', () => {
    for (const { responses } of operations) {
      for (const [status, answer] of Object.entries(responses)) {
        if (!('$ref' in answer)) continue;
        const codes = answer.$ref.split('/').at(-1)!.split('.') as (keyof typeof ERROR_CODES)[];
        for (const code of codes) expect([code, ERROR_CODES[code].status]).toEqual([code, Number(status)]);
      }
    }
  });

  test('bodies with an example, checked by the schema the server uses, are accepted', () => {
    for (const { body, example, id } of OPERATIONS) {
      if (body && example) expect([id, body.safeParse(example).error]).toEqual([id, undefined]);
    }
  });

  test('answers, looked at, stay open for new fields; requests refuse unknown ones', () => {
    expect(document.components.schemas.Message).not.toHaveProperty('additionalProperties');
    expect(document.components.schemas.PostMessage).toHaveProperty('additionalProperties', false);
  });
});
