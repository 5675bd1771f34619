import type { z } from 'zod';
import type { ErrorCode } from '../lib/errorCodes.ts';

export type Tag = 'Accounts' | 'Administration' | 'Chat' | 'Models' | 'OpenAI' | 'Operations' | 'Usage';

/** One good answer of an operation. */
export interface Answer {
  readonly description: string;
  /** A JSON body of this shape; without one the answer has no body, unless `mediaType` says otherwise. */
  readonly schema?: z.ZodType;
  /** A body that is not JSON, or JSON that is not described. */
  readonly mediaType?: 'application/json' | 'text/html';
  /** Also, or instead of JSON, a stream of `ReplyEvent`s. */
  readonly isEventStream?: boolean;
  readonly headers?: readonly string[];
}

/** One endpoint, as the documentation and its test see it. */
export interface Operation {
  readonly id: string;
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** With `{id}` for parameters. */
  readonly path: string;
  /** Other addresses of the same thing. */
  readonly aliases?: readonly string[];
  readonly tag: Tag;
  readonly summary: string;
  readonly description?: string;
  /** Who may ask: anyone, a logged-in user, or one whose pass may also be a ticket in the URL. */
  readonly auth: 'none' | 'user' | 'userOrTicket';
  readonly query?: z.ZodObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: z.ZodType;
  /** A form instead of JSON, and then errors in OAuth's shape besides problems. */
  readonly isForm?: boolean;
  /** Errors in OpenAI's shape instead of problems. */
  readonly isOpenAi?: boolean;
  /** A body that works when pasted; shown by the documentation. */
  readonly example?: Readonly<Record<string, unknown>>;
  readonly answers: Readonly<Record<number, Answer>>;
  /** The codes that only this operation answers with; those that follow from its kind are added. */
  readonly errors: readonly ErrorCode[];
}
