import { describe, expect, it } from 'vitest';
import { createFormTokens } from '../../../src/platform/pages/form-token.ts';
import { readOwnForm } from '../../../src/platform/pages/own-form.ts';

const [KEY, OTHER] = [Buffer.alloc(32, 'one'), Buffer.alloc(32, 'two')];
const tokens = createFormTokens([KEY]);
const BINDING = ['session', 'a'];

function send(options: {
  readonly body?: string | URLSearchParams;
  readonly headers?: Readonly<Record<string, string>>;
}) {
  const request = new Request('https://optio.example/login', {
    method: 'POST',
    body: new URLSearchParams({ form_token: tokens.issue(...BINDING), name: 'Ada' }),
    headers: { origin: 'https://optio.example', 'sec-fetch-site': 'same-origin', ...options.headers },
    ...(options.body === undefined ? {} : { body: options.body }),
  });
  return readOwnForm(request, { publicUrl: 'https://optio.example/base', tokens, binding: BINDING });
}

describe('a form of our own', () => {
  it('is read', async () => {
    expect((await send({})).get('name')).toBe('Ada');
  });

  it('is read from what sends neither Origin nor Sec-Fetch-Site, for its token says enough', async () => {
    const request = new Request('https://optio.example/login', {
      method: 'POST',
      body: new URLSearchParams({ form_token: tokens.issue(...BINDING) }),
    });
    const form = readOwnForm(request, { publicUrl: 'https://optio.example', tokens, binding: BINDING });
    expect((await form).size).toBe(1);
  });

  it.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['a hidden origin', { origin: 'null' }],
    ['our host on another port', { origin: 'https://optio.example:8443' }],
    ['our host without TLS', { origin: 'http://optio.example' }],
    ['a sister site', { 'sec-fetch-site': 'same-site' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
  ])('is refused from %s', async (_, headers) => {
    await expect(send({ headers })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each([
    ['no token', 'name=Ada'],
    ['an empty token', 'form_token='],
    ['a token of another session', `form_token=${tokens.issue('session', 'b')}`],
    ['a token whose binding is cut elsewhere', `form_token=${tokens.issue('sessio', 'na')}`],
    ['a token under another key', `form_token=${createFormTokens([OTHER]).issue(...BINDING)}`],
  ])('is refused with %s', async (_, body) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    await expect(send({ body, headers })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('is refused as anything but a form, with a field twice, and beyond 16 KiB', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    await expect(send({ body: '{}', headers: { 'content-type': 'text/plain' } })).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    });
    await expect(send({ body: 'a=1&a=2', headers: form })).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    await expect(send({ body: `a=${'x'.repeat(16_384)}`, headers: form })).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    });
  });
});

describe('a token for forms', () => {
  it('holds while the master key is rotated', () => {
    const rotated = createFormTokens([OTHER, KEY]);
    expect(rotated.verify(tokens.issue('a'), 'a')).toBe(true);
    expect(tokens.verify(rotated.issue('a'), 'a')).toBe(false);
  });
});
