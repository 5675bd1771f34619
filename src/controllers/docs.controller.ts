import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import { buildOpenApi } from '../schemas/openapi.ts';
import { docsPage, errorsPage, type PageOptions } from './docs.page.ts';
import { DOCS_JS } from './docs.script.ts';
import { DOCS_CSS } from './docs.style.ts';

/** The page loads its own style and script, talks to its own server, and nothing else. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Addresses carry a version, so a browser may keep what it has. */
const KEEP = 'public, max-age=31536000, immutable';

export interface DocsControllerOptions {
  readonly version: string;
  /** The address that users know; without one it is read from each request. */
  readonly publicUrl: string | null;
}

export interface DocsController {
  readonly openApi: RequestHandler;
  readonly page: RequestHandler;
  readonly errors: RequestHandler;
  readonly style: RequestHandler;
  readonly script: RequestHandler;
}

/** A host is text from a stranger: one that does not look like a host is not shown. */
const originOf = (req: Request): string => {
  const host = req.get('Host') ?? '';
  return /^[\w.-]+(:\d+)?$|^\[[\da-f:]+\](:\d+)?$/i.test(host) ? `${req.protocol}://${host}` : 'http://127.0.0.1:3000';
};

/** Serves the description of the API: to machines as OpenAPI, to people as pages. */
export const createDocsController = ({ version, publicUrl }: DocsControllerOptions): DocsController => {
  const document = buildOpenApi({ version, ...(publicUrl === null ? {} : { serverUrl: publicUrl }) });
  const json = JSON.stringify(document);
  const assetVersion = createHash('sha256').update(DOCS_CSS).update(DOCS_JS).digest('hex').slice(0, 12);

  const sendPage =
    (page: (options: PageOptions) => string) =>
    (req: Request, res: Response): void => {
      res.setHeader('Content-Security-Policy', PAGE_POLICY);
      res.type('html').send(page({ document, origin: publicUrl ?? originOf(req), base: req.baseUrl, assetVersion }));
    };
  const sendAsset = (type: string, text: string) => (_req: Request, res: Response) => {
    res.setHeader('Cache-Control', KEEP).type(type).send(text);
  };

  return {
    openApi: (_req, res) => {
      res.type('json').send(json);
    },
    page: sendPage(docsPage),
    errors: sendPage(errorsPage),
    style: sendAsset('css', DOCS_CSS),
    script: sendAsset('js', DOCS_JS),
  };
};
