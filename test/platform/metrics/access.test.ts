import { describe, expect, it } from 'vitest';
import { isLoopback, mayReadMetrics } from '../../../src/platform/metrics/access.ts';

const TOKEN = 'a-token-of-the-operator';

function mayRead(peerAddress: string | undefined, headers: Record<string, string> = {}, token?: string) {
  return mayReadMetrics({ peerAddress, headers: new Headers(headers) }, token);
}

describe('The loopback interface', () => {
  it.each(['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1'])('is %s', (address) => {
    expect(isLoopback(address)).toBe(true);
  });

  it.each([
    '128.0.0.1',
    '10.0.0.1',
    '0.0.0.0',
    '::',
    '::2',
    '::ffff:10.0.0.1',
    '::127.0.0.1',
    'localhost',
    '',
    undefined,
  ])('is not %s', (address) => {
    expect(isLoopback(address)).toBe(false);
  });
});

describe('The metrics', () => {
  it('are for programs on this machine', () => {
    expect(mayRead('127.0.0.1')).toBe(true);
    expect(mayRead('192.0.2.1')).toBe(false);
    expect(mayRead(undefined)).toBe(false);
  });

  it.each(['Forwarded', 'Via', 'X-Forwarded-For', 'X-Forwarded-Proto', 'X-Real-IP', 'CF-Connecting-IP'])(
    'are not for whom a proxy on this machine speaks (%s)',
    (header) => {
      expect(mayRead('127.0.0.1', { [header]: '127.0.0.1' })).toBe(false);
    },
  );

  it('are for whoever knows the token, from anywhere', () => {
    const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
    expect(mayRead('192.0.2.1', bearer(TOKEN), TOKEN)).toBe(true);
    expect(mayRead('127.0.0.1', { ...bearer(TOKEN), 'X-Forwarded-For': '192.0.2.1' }, TOKEN)).toBe(true);
    for (const wrong of [TOKEN.slice(1), `${TOKEN}x`, '', 'undefined']) {
      expect(mayRead('192.0.2.1', bearer(wrong), TOKEN)).toBe(false);
      expect(mayRead('192.0.2.1', bearer(wrong))).toBe(false);
    }
    expect(mayRead('192.0.2.1', { Authorization: `Basic ${TOKEN}` }, TOKEN)).toBe(false);
  });
});
