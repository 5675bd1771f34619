import { AsyncLocalStorage } from 'node:async_hooks';

/** What log lines of one request share. Decisions never read it: they take an explicit `Actor`. */
export interface RequestContext {
  readonly requestId: string;
  /** From where the request came; for the audit log, in no log line. */
  readonly client?: { readonly ip: string; readonly device: string };
  userId?: string;
  chatId?: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

export const requestContext = {
  run: <T>(context: RequestContext, fn: () => T): T => storage.run(context, fn),
  get: (): RequestContext | undefined => storage.getStore(),
  /** Adds what became known later (who asks, which chat); nothing happens outside a request. */
  set: (fields: Partial<Omit<RequestContext, 'requestId'>>): void => {
    const context = storage.getStore();
    if (context) Object.assign(context, fields);
  },
};
