import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createApp } from '../../src/app.ts';
import { routesOf } from '../../src/middleware/routeTable.ts';
import { ALLOWED_ORIGIN, runOrigins } from '../support/hostile/originRun.ts';
import { runRest } from '../support/hostile/restRun.ts';
import { seedOf } from '../support/random.ts';
import { startWorld, type World } from '../support/world.ts';

const REQUESTS = 1_500;

let world: World;
beforeAll(async () => {
  world = await startWorld({
    models: ['sim/echo', 'sim/words:8'],
    env: { MAX_CONNECTIONS_PER_USER: '0', CORS_ORIGINS: ALLOWED_ORIGIN, LOG_LEVEL: 'warn' },
  });
});
afterAll(() => world.stop());

describe('requests generated from the OpenAPI document', () => {
  test('hostile and valid ones of every actor, sent, are answered as documented and change nothing of others', async () => {
    const seed = seedOf('hostile requests');
    const { findings, operations, statuses } = await runRest({ url: world.url, seed, requests: REQUESTS, parallel: 4 });
    expect(findings.all()).toEqual([]);
    const rows = [...operations.values()];
    const total = rows.reduce((sum, row) => sum + row.total, 0);
    const accepted = rows.reduce((sum, row) => sum + row.accepted, 0);
    // Or the run would test nothing but the refusals in front of everything.
    expect(accepted / total).toBeGreaterThan(0.2);
    expect(rows.filter((row) => row.total === 0)).toEqual([]);
    expect(statuses.entries().filter(([status]) => Number(status) >= 429 && status !== '431')).toEqual([]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(world.logs().filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('origins', () => {
  test('hostile ones, at every unsafe route and every upgrade with cookies, are refused and change nothing', async () => {
    const report = await runOrigins(world.url, routesOf(createApp(world.node.container)));
    expect(report.findings.all()).toEqual([]);
    expect(report.origins).toBeGreaterThanOrEqual(12);
    expect(report.routes).toBeGreaterThan(25);
    expect(report.requests).toBe(report.origins * report.routes);
    expect(report.upgrades).toBe(report.origins * 3);
    expect(report.controls).toBe(report.routes);
  });
});
