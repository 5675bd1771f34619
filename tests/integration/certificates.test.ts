import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startOidcWorld } from '../support/oidc/oidcWorld.ts';
import { startUntrusted, type UntrustedServer } from '../support/untrustedTls.ts';
import { call, startWorld } from '../support/world.ts';

// The mail server's is in tests/unit/mailQueue.test.ts.

const SELF_SIGNED = /self.signed certificate/i;

let server: UntrustedServer;
beforeAll(async () => {
  server = await startUntrusted();
});
afterAll(() => server.stop());

describe('a certificate that nobody vouches for', () => {
  test('of a server that is right in all else: who trusts it is answered', async () => {
    expect(await server.askTrusting('/trusting')).toBe('{}');
    expect(server.asked).toEqual(['/trusting']);
  });

  test('of the model endpoint: it gets neither the key nor the message, and the reply fails', async () => {
    const env = { OPENROUTER_BASE_URL: `${server.url}/v1`, OPENROUTER_MODELS: 'sim/ok' };
    const world = await startWorld({ env });
    const user = await world.signUp();
    const { status } = await user.call('POST', '/api/chat/message', { content: 'Who hears this?', stream: false });
    expect(status).toBeGreaterThanOrEqual(500);
    expect(server.asked).toEqual(['/trusting']);
    expect(world.logText()).toMatch(SELF_SIGNED);
    await world.stop();
  });

  test('of an issuer: it is not even asked who it is, and nobody is sent there', async () => {
    const world = await startOidcWorld({ fake: { url: server.url } });
    const begun = await call(`${world.url}/api/auth/oidc/fake`, { redirect: 'manual' });
    expect(begun.headers.get('Location') ?? '').not.toContain('localhost');
    expect(server.asked).toEqual(['/trusting']);
    expect(world.logText()).toMatch(SELF_SIGNED);
    await world.stop();
  });
});
