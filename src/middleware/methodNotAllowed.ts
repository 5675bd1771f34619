import type { RequestHandler } from 'express';
import { AppError } from '../lib/errors.ts';

/** Answers every method that an address does not know: 405 with `Allow`, and `OPTIONS` with the list alone. */
export const methodNotAllowed = (methods: readonly string[]): RequestHandler => {
  const known = methods.map((method) => method.toUpperCase());
  const allow = [...known, ...(known.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  return (req, res) => {
    res.setHeader('Allow', allow);
    if (req.method !== 'OPTIONS')
      throw new AppError('METHOD_NOT_ALLOWED', { detail: `${req.method} is not one of ${allow}` });
    res.status(204).end();
  };
};
