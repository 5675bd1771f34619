import { describe, expect, test } from '@jest/globals';
import express from 'express';
import request from 'supertest';
import { createDocsController } from '../../src/controllers/docs.controller.ts';
import { ERROR_CODES } from '../../src/lib/errorCodes.ts';
import { createDocsRouter } from '../../src/routes/docs.routes.ts';
import { OPERATIONS } from '../../src/schemas/openapi.ts';

const docs = createDocsController({ version: '1.2.3', publicUrl: null });
const app = express();
app.use(createDocsRouter(docs));
app.use('/api', createDocsRouter(docs));

const get = (path: string) => request(app).get(path).set('Host', '127.0.0.1:4000').expect(200);
const ids = (page: string): Set<string> => new Set([...page.matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id));

describe('the documentation', () => {
  test.each(['/docs', '/api/docs', '/docs/errors', '/api/docs/errors'])(
    '%s, loaded, needs no other host and allows nothing inline',
    async (path) => {
      const { text, headers } = await get(path);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
      const loaded = [...text.matchAll(/<(?:script|link|img)\b[^>]*\b(?:src|href)="([^"]+)"/g)].map(
        ([, url = '']) => url,
      );
      expect(loaded.filter((url) => !url.startsWith('data:') && !url.startsWith('/'))).toEqual([]);
      expect(text).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle="|\son\w+="|javascript:/);
      for (const url of loaded.filter((item) => item.startsWith('/'))) {
        const asset = await get(url);
        expect(asset.headers['cache-control']).toContain('immutable');
        expect(asset.headers['content-type']).toMatch(/^text\/(css|javascript)/);
      }
    },
  );

  test('the page, read, has every operation and no link that leads nowhere', async () => {
    const { text } = await get('/docs');
    const targets = ids(text);
    for (const { id } of OPERATIONS) expect(targets).toContain(id);
    const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id = '']) => id);
    expect(links.filter((id) => !targets.has(id))).toEqual([]);
    expect(text).toContain('http://127.0.0.1:4000/api/chat/message');
  });

  test('the page of errors, read, has the anchor of every problem type', async () => {
    const { text } = await get('/docs/errors');
    const targets = ids(text);
    expect(Object.keys(ERROR_CODES).filter((code) => !targets.has(code))).toEqual([]);
  });

  test('a hostile Host header, sent, is not shown', async () => {
    const { text } = await request(app).get('/docs').set('Host', 'a"><script>alert(1)</script>').expect(200);
    expect(text).not.toContain('alert(1)');
    expect(text).toContain('http://127.0.0.1:3000/api/chat/message');
  });

  test.each(['/openapi.json', '/api/openapi.json'])('%s, fetched, is the document', async (path) => {
    const { body, headers } = await get(path);
    expect(headers['content-type']).toMatch(/^application\/json/);
    expect(body).toMatchObject({ openapi: '3.1.0', info: { version: '1.2.3' } });
  });
});
