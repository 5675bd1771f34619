import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import http, { type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createEventWriter, type EventWriter, type EventWriterOptions } from '../../src/lib/eventWriter.ts';

let server: Server;
let socket: Socket;
let res: ServerResponse;
const opened: Socket[] = [];

/** A client on a real connection, and the response to it. */
const openResponse = async (): Promise<void> => {
  const arrived = once(server, 'request');
  socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  opened.push(socket);
  socket.on('error', () => undefined);
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  [, res] = (await arrived) as [unknown, ServerResponse];
};

beforeEach(async () => {
  server = http.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await openResponse();
});
afterEach(async () => {
  for (const each of opened.splice(0)) each.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const write = (options: Partial<EventWriterOptions> = {}): EventWriter =>
  createEventWriter(res, {
    signal: new AbortController().signal,
    heartbeatMs: 60_000,
    stallMs: 60_000,
    headers: () => ({ 'X-Told': 'late' }),
    onStalled: () => undefined,
    ...options,
  });

/** What the client has got when it holds this text. */
const readUntil = async (text: string): Promise<string> => {
  let got = '';
  while (!got.includes(text)) got += String((await once(socket, 'data'))[0]);
  return got;
};

describe('an event writer', () => {
  test('sends nothing by itself, and with the first frame its headers', async () => {
    const writer = write();
    expect([writer.isOpen(), res.headersSent]).toEqual([false, false]);
    expect(writer.write('data: 1\n\n')).toBeUndefined();
    expect(writer.isOpen()).toBe(true);
    const got = await readUntil('data: 1');
    expect(got).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(got).toContain('X-Told: late');
    writer.end('data: 2\n\n');
    expect(await readUntil('\r\n0\r\n')).toContain('data: 2');
  });

  test('shows life in a silence, and not while it writes', async () => {
    const writer = write({ heartbeatMs: 40 });
    await readUntil(': keep-alive');
    expect(writer.isOpen()).toBe(true);
    const talking = setInterval(() => void writer.write('data: x\n\n'), 4);
    socket.once('data', () => undefined);
    const got = await readUntil('data: x\n\n\r\n9\r\ndata: x\n\n\r\n9\r\ndata: x\n\n\r\n9\r\ndata: x\n\n');
    clearInterval(talking);
    expect(got.split(': keep-alive').length).toBeLessThanOrEqual(2);
    await readUntil(': keep-alive');
  });

  test('waits for a client that is slow, and drops one that takes nothing', async () => {
    socket.pause();
    let stalls = 0;
    const writer = write({ heartbeatMs: 20, stallMs: 60, onStalled: () => (stalls += 1) });
    let full: Promise<void> | undefined;
    const frame = 'x'.repeat(64 * 1024);
    while (full === undefined) full = writer.write(frame);
    const closed = once(res, 'close');
    // Some of it went to the kernel, which may have room for more.
    for (; !res.destroyed && full; full = writer.write(frame)) await Promise.race([full, closed]);
    await closed;
    expect([res.writableFinished, stalls]).toEqual([false, 1]);
  });

  test('lets who waits go on when the client is gone', async () => {
    socket.pause();
    const controller = new AbortController();
    const writer = write({ signal: controller.signal });
    const full = writer.write('x'.repeat(64 * 1024 * 1024));
    expect(full).toBeDefined();
    controller.abort();
    await full;
    expect(res.writableNeedDrain).toBe(true);
  });
});
