import type { RequestHandler } from 'express';
import { AppError } from '../lib/errors.ts';

export const notFound: RequestHandler = () => {
  throw new AppError('NOT_FOUND');
};
