import { Counter, Histogram, Registry } from 'prom-client';

/** Every metric of the node, declared once; rooms get these named functions and never touch the library. */
export interface Metrics {
  request(answered: { method: string; route: string; status: number; durationMs: number }): void;
  chatMessage(role: 'user' | 'assistant', model: string): void;
  replySettled(status: string): void;
  llmFirstToken(model: string, durationMs: number): void;
  llmResponse(model: string, durationMs: number): void;
  llmFailure(model: string, kind: string): void;
  llmAttempt(model: string, outcome: string): void;
  llmBreaker(model: string, state: string): void;
  llmQueueWait(model: string, durationMs: number): void;
  /** `kind`: `prompt`, `completion`, and of these `reasoning` and `cached`. */
  llmTokens(model: string, kind: string, tokens: number): void;
  llmCost(model: string, microUsd: number): void;
  contextCache(result: 'hit' | 'miss'): void;
  limitHit(limit: string): void;
  storeRead(operation: string): void;
  clientDropped(door: string, reason: string): void;
  /** The current value of one series, for tests and the start page; 0 when it was never counted. */
  value(name: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  /** All of it in the Prometheus text format. */
  text(): Promise<string>;
}

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export const createMetrics = (): Metrics => {
  const registry = new Registry();
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> =>
    new Counter({ name, help, labelNames: [...labelNames], registers: [registry] });
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[]): Histogram<L> =>
    new Histogram({ name, help, labelNames: [...labelNames], buckets: SECONDS, registers: [registry] });

  const requests = counter('http_requests_total', 'Answered HTTP requests', ['method', 'route', 'status']);
  const requestTime = histogram('http_request_duration_seconds', 'Time to answer', ['method', 'route']);
  const messages = counter('chat_messages_total', 'Stored messages', ['role', 'model']);
  const settled = counter('chat_replies_settled_total', 'Replies by final status', ['status']);
  const firstToken = histogram('llm_first_token_seconds', 'Time to the first token', ['model']);
  const responseTime = histogram('llm_response_time_seconds', 'Time to the whole reply', ['model']);
  const failures = counter('llm_failures_total', 'Failed attempts', ['model', 'kind']);
  const tokens = counter('llm_tokens_total', 'Tokens in the books', ['model', 'kind']);
  const cost = counter('llm_cost_micro_usd_total', 'Cost in the books, in millionths of a US dollar', ['model']);
  const attempts = counter('llm_attempts_total', 'Calls of models by how they ended', ['model', 'outcome']);
  const breakers = counter('llm_breaker_changes_total', 'Changes of a model’s breaker', ['model', 'state']);
  const queueWait = histogram('llm_queue_wait_seconds', 'Waits for a place at a busy model', ['model']);
  const cache = counter('context_cache_lookups_total', 'Context cache lookups', ['result']);
  const limits = counter('limit_hits_total', 'Requests refused by a limit', ['limit']);
  const dropped = counter('clients_dropped_total', 'Live clients cut off by the server', ['door', 'reason']);
  const reads = counter('store_reads_total', 'Database reads', ['operation']);

  return {
    request: ({ method, route, status, durationMs }) => {
      requests.inc({ method, route, status });
      requestTime.observe({ method, route }, durationMs / 1000);
    },
    chatMessage: (role, model) => messages.inc({ role, model }),
    replySettled: (status) => settled.inc({ status }),
    llmFirstToken: (model, durationMs) => firstToken.observe({ model }, durationMs / 1000),
    llmResponse: (model, durationMs) => responseTime.observe({ model }, durationMs / 1000),
    llmFailure: (model, kind) => failures.inc({ model, kind }),
    llmTokens: (model, kind, count) => tokens.inc({ model, kind }, count),
    llmCost: (model, microUsd) => cost.inc({ model }, microUsd),
    llmAttempt: (model, outcome) => attempts.inc({ model, outcome }),
    llmBreaker: (model, state) => breakers.inc({ model, state }),
    llmQueueWait: (model, durationMs) => queueWait.observe({ model }, durationMs / 1000),
    contextCache: (result) => cache.inc({ result }),
    limitHit: (limit) => limits.inc({ limit }),
    storeRead: (operation) => reads.inc({ operation }),
    clientDropped: (door, reason) => dropped.inc({ door, reason }),
    value: async (name, labels = {}) => {
      const metric = registry.getSingleMetric(name);
      const { values } = (await metric?.get()) ?? { values: [] };
      const matching = values.filter((item) =>
        Object.entries(labels).every(([key, value]) => String(item.labels[key as never]) === value),
      );
      return matching.reduce((sum, item) => sum + item.value, 0);
    },
    text: () => registry.metrics(),
  };
};
