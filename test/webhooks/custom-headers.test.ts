import { describe, expect, it } from 'vitest';
import { checkCustomHeaders, MASK, maskHeaders } from '../../src/webhooks/custom-headers.ts';

describe('custom headers (webhooks rule 34)', () => {
  it('may be credentials, tenants and other names of their own', () => {
    const headers = [
      ['Authorization', 'Bearer abc.def'],
      ['X-Tenant', 'north school'],
      ['x_odd!name', '~'],
    ] as const;
    expect(checkCustomHeaders(headers)).toEqual([]);
  });

  it.each([
    'Host',
    'content-length',
    'Content-Type',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Upgrade',
    'Proxy-Authorization',
    'Proxy-Connection',
    'Expect',
    'X-Optio-Signature',
    'x-optio-anything',
    'Webhook-Id',
    'webhook-signature',
  ])('cannot set %s', (name) => {
    expect(checkCustomHeaders([[name, 'x']])).toEqual([
      {
        path: ['custom_headers', name],
        message: `${name} is set by the delivery itself and cannot be changed.`,
      },
    ]);
  });

  it.each(['', 'a b', 'a:b', 'a\r\nb', 'ä', 'a\0', '(a)'])('refuse the name %j', (name) => {
    expect(checkCustomHeaders([[name, 'x']])[0]?.message).toBe(
      'A header name is made of letters, digits and hyphens.',
    );
  });

  it.each(['', 'a\r\nX-Evil: 1', 'a\nb', 'a\rb', 'a\0b', 'a\tb', 'ä', ' a', 'a ', '\u007f', '\u2028'])(
    'refuse the value %j',
    (value) => {
      expect(checkCustomHeaders([['X-Test', value]])).toEqual([
        {
          path: ['custom_headers', 'X-Test'],
          message: 'Expected a value of visible ASCII characters, without line breaks or spaces around it.',
        },
      ]);
    },
  );

  it('refuse a name that is there already, in whatever case', () => {
    const faults = checkCustomHeaders([
      ['X-A', '1'],
      ['x-a', '2'],
    ]);
    expect(faults).toEqual([{ path: ['custom_headers', 'x-a'], message: 'This header is already set.' }]);
  });

  it('are at most 20', () => {
    const headers = Array.from({ length: 21 }, (_, index) => [`X-${index}`, '1'] as const);
    expect(checkCustomHeaders(headers.slice(0, 20))).toEqual([]);
    expect(checkCustomHeaders(headers)).toEqual([
      { path: ['custom_headers'], message: 'Expected at most 20 headers, not 21.' },
    ]);
  });

  it('are at most 4 KiB in all', () => {
    expect(checkCustomHeaders([['X-A', 'a'.repeat(4089)]])).toEqual([]);
    expect(checkCustomHeaders([['X-A', 'a'.repeat(4090)]])).toEqual([
      { path: ['custom_headers'], message: 'Expected at most 4096 bytes of headers in all, not 4097.' },
    ]);
  });

  it('name every fault', () => {
    const faults = checkCustomHeaders([
      ['Host', 'x'],
      ['X-Fine', 'x'],
      ['X-Bad', '\n'],
    ]);
    expect(faults.map(({ path }) => path[1])).toEqual(['Host', 'X-Bad']);
  });
});

describe('headers in the delivery log (webhooks rule 11)', () => {
  it.each([
    ['Authorization', 'Basic dTpw'],
    ['Cookie', 'a=b'],
    ['set-cookie', 'sid=1'],
    ['X-API-Key', '123'],
    ['X-Auth', '123'],
    ['X-Access-Token', '123'],
    ['client_secret', '123'],
    ['X-Hub-Signature', '123'],
    ['X-Password', '123'],
    ['Proxy-Authorization', 'Basic dTpw'],
    ['X-Plain-Name', 'Bearer 123'],
  ])('mask the value of %s', (name, value) => {
    expect(maskHeaders([[name, value]])).toEqual([[name, MASK]]);
  });

  it.each([
    ['content-type', 'application/json'],
    ['X-Tenant', 'north'],
    ['X-Optio-Signature', 'sha256=00'],
    ['webhook-signature', 'v1,AA=='],
    ['X-Optio-Event', 'quest.completed'],
  ])('show %s', (name, value) => {
    expect(maskHeaders([[name, value]])).toEqual([[name, value]]);
  });
});
