import { describe, expect, test } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { picodollarsOf } from '../../src/services/llm/catalogue.ts';
import { withBareEndpoint } from '../support/llmEndpoint.ts';

const never = new AbortController().signal;

/** An endpoint that answers every request with one document. */
const answering = (status: number, body: unknown, seen: string[] = []) => {
  return (req: IncomingMessage, res: ServerResponse): void => {
    seen.push(String(req.url));
    res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  };
};

describe('the catalogue', () => {
  const listOf = async (status: number, body: unknown): Promise<unknown> => {
    let listed: unknown;
    await withBareEndpoint(answering(status, body), async (open) => {
      listed = await open()
        .listModels(never)
        .catch((error: unknown) => error);
    });
    return listed;
  };
  const silent = { contextLength: null, promptPrice: null, completionPrice: null, parameters: [] };

  test('of OpenRouter tells windows, prices and parameters, under each name of a model', async () => {
    const item = {
      id: 'openai/gpt-5-mini',
      canonical_slug: 'openai/gpt-5-mini-2025-08-07',
      context_length: 400_000,
      top_provider: { context_length: 128_000 },
      pricing: { prompt: '0.00000025', completion: '0.000002' },
      supported_parameters: ['tools', 'seed'],
    };
    const facts = {
      contextLength: 128_000,
      promptPrice: 250_000,
      completionPrice: 2_000_000,
      parameters: ['tools', 'seed'],
    };
    const free = {
      id: 'a/b:free',
      canonical_slug: 'a/b:free',
      context_length: 8192,
      pricing: { prompt: '0', completion: '0' },
    };
    expect(await listOf(200, { data: [item, free] })).toEqual([
      { slug: 'openai/gpt-5-mini', ...facts },
      { slug: 'openai/gpt-5-mini-2025-08-07', ...facts },
      { slug: 'a/b:free', contextLength: 8192, promptPrice: 0, completionPrice: 0, parameters: [] },
    ]);
  });

  test.each([
    ['ids alone', { data: [{ id: 'llama3:latest', object: 'model' }] }, [{ slug: 'llama3:latest', ...silent }]],
    ['a bare list', [{ id: 'x', max_model_len: 4096 }], [{ slug: 'x', ...silent, contextLength: 4096 }]],
    ['entries that are none', { data: [null, 7, { name: 'x' }, { id: '' }] }, []],
    [
      'prices that depend',
      { data: [{ id: 'openrouter/auto', pricing: { prompt: '-1' } }] },
      [{ slug: 'openrouter/auto', ...silent }],
    ],
  ])('of an endpoint that tells %s is read as far as it goes', async (_case, body, expected) => {
    expect(await listOf(200, body)).toEqual(expected);
  });

  test.each([
    [404, {}, 'not_found'],
    [200, { object: 'list' }, 'not_found'],
    [500, {}, 'unavailable'],
  ])('that is none (status %d, %j) is an error', async (status, body, kind) => {
    expect(await listOf(status, body)).toMatchObject({ name: 'ProviderError', kind });
  });
});

describe('a price in picodollars', () => {
  test.each([
    ['0.00000015', 150_000],
    ['0.000015', 15_000_000],
    ['0.0000000000014', 1],
    ['0.0000000000015', 2],
    ['0.00000000000049', 0],
    ['1', 1_000_000_000_000],
    ['.5', 500_000_000_000],
    [1.5e-7, 150_000],
    ['2E-6', 2_000_000],
    [0, 0],
    ['0.0000000029', 2900],
    ['-1', null],
    ['', null],
    ['free', null],
    ['1e99', null],
    [null, null],
    [{}, null],
  ])('of %p is %p', (price, expected) => {
    expect(picodollarsOf(price)).toBe(expected);
  });
});

describe('the books of a past call', () => {
  const findIn = async (status: number, body: unknown): Promise<{ found: unknown; seen: string[] }> => {
    const seen: string[] = [];
    let found: unknown;
    await withBareEndpoint(answering(status, body, seen), async (open) => {
      found = await open()
        .findUsage('gen-1/&x', never)
        .catch((error: unknown) => error);
    });
    return { found, seen };
  };

  test('are the native counts and the cost in millionths of a dollar', async () => {
    const data = {
      id: 'gen-1',
      tokens_prompt: 9,
      tokens_completion: 9,
      native_tokens_prompt: 10,
      native_tokens_completion: 20,
      native_tokens_reasoning: 5,
      native_tokens_cached: 4,
      total_cost: 0.00123456,
    };
    expect(await findIn(200, { data })).toEqual({
      found: {
        promptTokens: 10,
        completionTokens: 20,
        totalTokens: 30,
        reasoningTokens: 5,
        cachedTokens: 4,
        costMicroUsd: 1235,
      },
      seen: ['/v1/generation?id=gen-1%2F%26x'],
    });
  });

  test.each([
    [404, { error: { code: 404 } }],
    [405, {}],
    [200, { data: {} }],
    [200, 'soon'],
  ])('are not there when the endpoint says %d %j', async (status, body) => {
    expect((await findIn(status, body)).found).toBeNull();
  });

  test('are an error when they may be there another time', async () => {
    expect((await findIn(500, {})).found).toMatchObject({ name: 'ProviderError', kind: 'unavailable' });
  });
});
