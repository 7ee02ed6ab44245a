import { describe, expect, it } from 'vitest';
import { createCookie } from '../../../src/platform/http/cookies.ts';

const headers = (cookie: string) => new Headers({ cookie });

describe('a cookie', () => {
  it('on https is bound to this host by its name', () => {
    const cookie = createCookie('session', { https: true });
    expect(cookie.set('abc')).toBe('__Host-session=abc; Path=/; HttpOnly; Secure; SameSite=Lax');
    expect(cookie.read(headers('x=1; __Host-session=abc'))).toBe('abc');
    expect(cookie.read(headers('session=planted'))).toBeUndefined();
  });

  it('on http has its plain name, since browsers take no other', () => {
    const cookie = createCookie('session', { https: false });
    expect(cookie.set('abc')).toBe('session=abc; Path=/; HttpOnly; SameSite=Lax');
    expect(cookie.read(headers('session=abc'))).toBe('abc');
  });

  it('is taken away at once', () => {
    expect(createCookie('session', { https: true }).clear()).toMatch(/^__Host-session=; Max-Age=0; Path=\/;/);
  });

  it('is not there in a request without cookies', () => {
    expect(createCookie('session', { https: true }).read(new Headers())).toBeUndefined();
  });
});
