import type { Request, RequestHandler, Response } from 'express';
import type { z } from 'zod';
import { parseInput } from '../schemas/problem.ts';

export type Handler<T> = (input: T, req: Request, res: Response) => Promise<void> | void;

/** Runs a handler with the body, checked. A request without a body counts as `{}`. */
export const withBody =
  <T>(schema: z.ZodType<T>, handler: Handler<T>): RequestHandler =>
  (req, res) =>
    handler(parseInput(schema, req.body ?? {}), req, res);

/** Runs a handler with the query string, checked. */
export const withQuery =
  <T>(schema: z.ZodType<T>, handler: Handler<T>): RequestHandler =>
  (req, res) =>
    handler(parseInput(schema, { ...req.query }), req, res);
