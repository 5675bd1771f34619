import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const read = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

const lines = read('Dockerfile')
  .replaceAll(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));
const stages = lines
  .join('\n')
  .split(/^FROM /m)
  .slice(1);
const runtime = stages.at(-1)!;
const argumentOf = (text: string, instruction: string): string | undefined =>
  new RegExp(`^${instruction} (.*)$`, 'm').exec(text)?.[1];

interface Service {
  image: string;
  ports?: string[];
  environment: Record<string, string>;
  volumes?: string[];
  tmpfs: string[];
  healthcheck?: { test: string[] };
  [key: string]: unknown;
}
const compose = parse(read('docker-compose.yml'), { merge: true }) as { services: Record<'app' | 'mongodb', Service> };
const services = Object.entries(compose.services);
const packages = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string>; version: string };

describe('Dockerfile', () => {
  test('its base image, compared with the platform packages, is the same Node on glibc, pinned', () => {
    const [version] = Object.values(packages.optionalDependencies);
    expect(lines[0]).toBe(`ARG NODE_IMAGE=node:${String(version)}-bookworm-slim`);
    expect(stages.map((stage) => stage.split(/\s/, 1)[0])).toEqual(Array(3).fill('${NODE_IMAGE}'));
  });

  test('its last stage, read, runs as a numbered nobody, by exec form, without npm between', () => {
    expect(argumentOf(runtime, 'USER')).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(JSON.parse(argumentOf(runtime, 'CMD')!)).toEqual(['node', '--disable-proto=delete', 'dist/server.js']);
    expect(argumentOf(runtime, 'ENV')).toMatch(/NODE_ENV=production .*HOST=0\.0\.0\.0/);
    expect(runtime.indexOf('USER')).toBeGreaterThan(runtime.indexOf('RUN'));
  });

  test('its health check, read, needs no curl and no shell', () => {
    const check = /HEALTHCHECK .*? CMD (\[.*\])/.exec(runtime)?.[1];
    expect((JSON.parse(check!) as string[]).slice(0, 2)).toEqual(['node', '-e']);
  });

  test('its packages, installed, are those of the lockfile, without what only developers need', () => {
    const installs = lines.filter((line) => /npm (ci|i|install)\b/.test(line));
    expect(installs).toEqual(['RUN npm ci --omit=optional', 'RUN npm ci --omit=dev --omit=optional']);
    expect(runtime).toContain('COPY --from=dependencies /app/node_modules node_modules');
  });

  test('secrets, looked for, are in no layer', () => {
    const secret = /SECRET|PASSWORD|TOKEN|API_KEY|MONGODB_URI/;
    expect(lines.filter((line) => /^(ARG|ENV)/.test(line) && secret.test(line))).toEqual([]);
    expect(lines.filter((line) => /^COPY (--\S+ )*\. /.test(line) || line.startsWith('ADD'))).toEqual([]);
  });
});

describe('.dockerignore', () => {
  test('the context, read, begins with nothing and lets no secret in', () => {
    const rules = read('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(rules[0]).toBe('*');
    expect(rules).toContain('**/.env*');
    for (const name of ['.git', 'data', 'node_modules', 'tests']) expect(rules).not.toContain(`!${name}`);
  });
});

describe('docker-compose.yml', () => {
  test.each(services)('%s, read, is read-only, without capabilities, and bounded', (_name, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
      mem_limit: expect.any(String),
      pids_limit: expect.any(Number),
      cpus: expect.any(Number),
      restart: 'unless-stopped',
    });
    expect(service.tmpfs.some((mount) => mount.startsWith('/tmp'))).toBe(true);
    expect(service.image).toMatch(/:\d+\.\d+\.\d+$/);
  });

  test('ports, read, show the app to this machine only, and the database to nobody', () => {
    expect(compose.services.app.ports).toEqual(['127.0.0.1:${PORT:-3000}:3000']);
    expect(compose.services.mongodb.ports).toBeUndefined();
    expect(parse(read('docker-compose.yml'))).toMatchObject({ networks: { back: { internal: true } } });
  });

  test('MongoDB, read, is a replica set with a volume, which the app waits for', () => {
    const { app, mongodb } = compose.services;
    expect(mongodb.command).toContain('--replSet');
    expect(mongodb.volumes).toContain('mongodb:/data/db');
    expect(mongodb.healthcheck?.test.join(' ')).toContain('rs.initiate');
    expect(app.depends_on).toEqual({ mongodb: { condition: 'service_healthy' } });
    expect(app.environment.MONGODB_URI).toContain('replicaSet=rs0');
  });

  test('secrets, read, come from outside, and the signing secret has no default', () => {
    const { environment, image } = compose.services.app;
    expect(environment.JWT_SECRET).toMatch(/^\$\{JWT_SECRET:\?/);
    for (const name of ['OPENROUTER_API_KEY', 'ADMIN_PASSWORD']) expect(environment[name]).toBe(`\${${name}:-}`);
    expect(image).toBe(`parley:${packages.version}`);
  });

  test('every variable, compared with the configuration, is one that the server reads', async () => {
    const { VARIABLES } = await import('../../src/config/env.schema.ts');
    expect(Object.keys(compose.services.app.environment).filter((name) => !(name in VARIABLES))).toEqual([]);
  });
});
