import { describe, expect, it } from 'vitest';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import { BLOCKED_ADDRESS_MESSAGE, checkTargetUrl } from '../../../src/platform/outbound/target-url.ts';

const STRICT = { allowHttp: false, allow: [] };
const LOCAL = { allowHttp: true, allow: parseCidrs('127.0.0.0/8') };

describe('target URLs (webhooks rule 30)', () => {
  it.each([
    'https://lms.example.com/hooks',
    'https://lms.example.com:443/',
    'https://lms.example.com:80/',
    'https://lms.example.com:1024/',
    'https://lms.example.com:65535/a?b=c%20d',
    'HTTPS://LMS.EXAMPLE.COM',
    'https://münchen.example/',
    'https://1.1.1.1/',
    'https://[2606:4700:4700::1111]/',
    'https://intranet/',
  ])('allow %s', (text) => {
    expect(checkTargetUrl(text, STRICT)).toMatchObject({ ok: true });
  });

  it('gives the parsed URL', () => {
    const checked = checkTargetUrl('https://LMS.example.com/a/../b?c', STRICT);
    expect(checked.ok && checked.url.href).toBe('https://lms.example.com/b?c');
  });

  it.each([
    ['http://lms.example.com/', 'Expected a URL with https.'],
    ['ftp://lms.example.com/', 'Expected a URL with https.'],
    ['file:///etc/passwd', 'Expected a URL with https.'],
    ['javascript:alert(1)', 'Expected a URL with https.'],
    ['lms.example.com', 'Expected a URL, such as https://lms.example.com/webhooks.'],
    ['', 'Expected a URL, such as https://lms.example.com/webhooks.'],
    ['https://', 'Expected a URL, such as https://lms.example.com/webhooks.'],
    ['https://user@lms.example.com/', 'Leave out the user name and password'],
    ['https://user:pass@lms.example.com/', 'Leave out the user name and password'],
    ['https://:pass@lms.example.com/', 'Leave out the user name and password'],
    ['https://lms.example.com/#a', 'Leave out the fragment'],
    ['https://lms.example.com/#', 'Leave out the fragment'],
    ['https://lms.example.com/a b', 'A URL cannot contain spaces or control characters.'],
    [' https://lms.example.com/', 'A URL cannot contain spaces or control characters.'],
    ['https://lms.example.com/\n', 'A URL cannot contain spaces or control characters.'],
    ['https://lms.exa\tmple.com/', 'A URL cannot contain spaces or control characters.'],
    ['https://lms.example.com/\r\nHost: x', 'A URL cannot contain spaces or control characters.'],
    ['https://lms.example.com/\0', 'A URL cannot contain spaces or control characters.'],
    ['https://lms.example.com/\u0085', 'A URL cannot contain spaces or control characters.'],
    ['https://lms.example.com:0/', 'Expected port 80, 443, or one from 1024 on.'],
    ['https://lms.example.com:22/', 'Expected port 80, 443, or one from 1024 on.'],
    ['https://lms.example.com:1023/', 'Expected port 80, 443, or one from 1024 on.'],
    ['https://lms.example.com:65536/', 'Expected a URL, such as https://lms.example.com/webhooks.'],
    ['https://lms.example.com./', 'Leave out the dot at the end of the host name.'],
  ])('refuse %j', (text, reason) => {
    const checked = checkTargetUrl(text, STRICT);
    expect(checked).toMatchObject({ ok: false, errorKind: 'invalid_url' });
    expect(checked.ok ? '' : checked.reason).toContain(reason);
  });

  it('may be http where the operator allows it, and nothing else', () => {
    expect(checkTargetUrl('http://lms.example.com/', LOCAL).ok).toBe(true);
    expect(checkTargetUrl('ftp://lms.example.com/', LOCAL)).toMatchObject({
      reason: 'Expected a URL with https or http.',
    });
  });

  it('have at most 2048 characters', () => {
    const base = 'https://lms.example.com/';
    expect(checkTargetUrl(base.padEnd(2048, 'a'), STRICT).ok).toBe(true);
    expect(checkTargetUrl(base.padEnd(2049, 'a'), STRICT)).toMatchObject({
      reason: 'Expected a URL of at most 2048 characters.',
    });
  });
});

describe('names and spellings of closed addresses (webhooks rule 29)', () => {
  const CLOSED = [
    'https://localhost/',
    'https://LOCALHOST/',
    'https://a.localhost/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://127.0.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0x7f.0.0.1/',
    'https://0177.0.0.1/',
    'https://017700000001/',
    'https://１２７.0.0.1/',
    'https://127。0。0。1/',
    'https://①②⑦.0.0.1/',
    'https://127.0.0.1./',
    'https://%31%32%37.0.0.1/',
    'https://0/',
    'https://10.0.0.1/',
    'https://[::1]/',
    'https://[::]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://metadata.google.internal/',
    'https://metadata.goog/',
    'https://METADATA.google.internal/',
  ];

  it.each(CLOSED)('refuse %s with the one sentence for closed addresses (rule 35)', (text) => {
    expect(checkTargetUrl(text, STRICT)).toEqual({
      ok: false,
      reason: BLOCKED_ADDRESS_MESSAGE,
      errorKind: 'blocked_address',
    });
  });

  it.each(['https://localhost./', 'https://a.localhost./', 'https://metadata.google.internal./'])(
    'refuse %s for its dot',
    (text) => {
      expect(checkTargetUrl(text, LOCAL).ok).toBe(false);
    },
  );

  it('follow what the operator opened', () => {
    expect(checkTargetUrl('http://127.0.0.1:4000/', LOCAL).ok).toBe(true);
    expect(checkTargetUrl('http://localhost:4000/', LOCAL).ok).toBe(true);
    expect(checkTargetUrl('http://10.0.0.1/', LOCAL).ok).toBe(false);
    expect(
      checkTargetUrl('http://metadata.google.internal/', { ...LOCAL, allow: parseCidrs('0.0.0.0/0 ::/0') })
        .ok,
    ).toBe(false);
  });
});
