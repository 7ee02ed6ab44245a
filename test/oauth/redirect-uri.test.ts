/** Which redirect URIs can be registered. */
import { describe, expect, it } from 'vitest';
import { findRedirectUriFault } from '../../src/oauth/redirect-uri.ts';

describe('A redirect URI', () => {
  it.each([
    'https://lms.example/oauth/callback',
    'https://lms.example',
    'https://lms.example/',
    'https://lms.example:8443/cb?tenant=north',
    'https://moodle.example/admin/oauth2callback.php',
    'http://127.0.0.1/cb',
    'http://127.0.0.1:3000/cb',
    'http://[::1]:3000/cb',
    'http://localhost:8080/cb',
  ])('%s can be registered', (uri) => {
    expect([findRedirectUriFault(uri, 'CONFIDENTIAL'), findRedirectUriFault(uri, 'PUBLIC')]).toEqual([
      undefined,
      undefined,
    ]);
  });

  it.each([
    'https://lms.example/cb#fragment',
    'https://lms.example/cb#',
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,hello',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://lms.example/1',
    'http://lms.example/cb',
    'http://127.0.0.1.evil.example/cb',
    'http://localhost.evil.example/cb',
    'http://192.168.0.10/cb',
    'http://[::2]/cb',
    'myapp:/callback',
  ])('%s is refused: fragment, script, data, or http that is not loopback (rule 5)', (uri) => {
    for (const type of ['CONFIDENTIAL', 'PUBLIC'] as const)
      expect(findRedirectUriFault(uri, type)).toBeTypeOf('string');
  });

  it.each([
    ['/callback', 'relative'],
    ['lms.example/cb', 'without a scheme'],
    ['https://', 'without a host'],
    ['https://ada@lms.example/cb', 'with a user name'],
    ['https://lms.example@evil.example/cb', 'with a user name that looks like a host'],
    ['https://*.lms.example/cb', 'with a wildcard'],
    ['https://lms.example/c b', 'with a space'],
    ['https://lms.example/\u{1F600}', 'not ASCII'],
    [`https://lms.example/${'a'.repeat(2_000)}`, 'too long'],
    ['', 'empty'],
  ])('%s is refused: %s', (uri) => {
    expect(findRedirectUriFault(uri, 'CONFIDENTIAL')).toBeTypeOf('string');
  });

  it.each([
    ['https://LMS.example/cb', 'https://lms.example/cb'],
    ['HTTPS://lms.example/cb', 'https://lms.example/cb'],
    ['https://lms.example:443/cb', 'https://lms.example/cb'],
    ['https://lms.example/a/../cb', 'https://lms.example/cb'],
    ['https:\\\\lms.example\\cb', 'https://lms.example/cb'],
    ['http://2130706433/cb', 'http://127.0.0.1/cb'],
  ])('%s is refused, and told how it is written', (uri, right) => {
    expect(findRedirectUriFault(uri, 'CONFIDENTIAL')).toBe(`Write it as ${right}`);
  });

  it("with an app's own scheme is for public clients (RFC 8252 7.1)", () => {
    expect(findRedirectUriFault('com.example.app:/callback', 'PUBLIC')).toBeUndefined();
    expect(findRedirectUriFault('com.example.app:/callback', 'CONFIDENTIAL')).toMatch(/public clients/);
  });
});
