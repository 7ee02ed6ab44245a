import { html } from 'hono/html';
import { describe, expect, it } from 'vitest';
import { AppError } from '../../../src/lib/errors.ts';
import { field, form, note } from '../../../src/platform/pages/elements.ts';
import { errorPage } from '../../../src/platform/pages/error-page.ts';
import { type Page, pageResponse, seeOther } from '../../../src/platform/pages/page.ts';

const show = (page: Partial<Page>) => pageResponse({ title: 'Title', body: html`<h1>Hello</h1>`, ...page });
const textOf = async (markup: ReturnType<typeof field>): Promise<string> => String(await markup);

describe('a page', () => {
  it('runs no script, is framed by nobody and kept by nobody', async () => {
    const { status, headers } = await show({});
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-frame-options')).toBe('DENY');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]{44}'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
    );
  });

  it('lets its forms tell their origin (no-referrer would make it null)', async () => {
    expect((await show({})).headers.get('referrer-policy')).toBe('same-origin');
  });

  it('lets its forms lead to the origins it names, and to nothing that such an origin could smuggle in', async () => {
    const formOrigins = [
      "https://lms.example/cb?x=';script-src *",
      'com.example.app:/callback',
      'http://127.0.0.1:9/',
    ];
    const policy = (await show({ formOrigins })).headers.get('content-security-policy');
    expect(policy).toContain("form-action 'self' https://lms.example com.example.app: http://127.0.0.1:9;");
    expect(policy).not.toContain('script-src');
  });

  it('escapes what stands in it, its title too', async () => {
    const nasty = '</title><script>"&\'';
    const text = await (await show({ title: nasty, body: html`<p>${nasty}</p>` })).text();
    expect(text).not.toContain('<script>');
    expect(text.match(/&lt;\/title&gt;&lt;script&gt;&quot;&amp;&#39;/g)).toHaveLength(2);
  });

  it('is followed by a GET after a post', () => {
    const response = seeOther('/account', ['a=1', 'b=2']);
    expect([response.status, response.headers.get('location')]).toEqual([303, '/account']);
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });
});

describe('a field', () => {
  const options = { name: 'email', label: 'Email', autocomplete: 'username' };

  it('is tied to its label, its hint and its error', async () => {
    const text = await textOf(field({ ...options, hint: 'As at school.', error: 'No address.' }));
    expect(text).toContain('<label for="email">');
    expect(text).toContain('aria-describedby="email-hint email-error"');
    expect(text).toContain('aria-invalid="true"');
    expect(text).toContain('id="email-hint">As at school.');
    expect(text).toMatch(/id="email-error">.*No address\./s);
  });

  it('has neither when there is nothing to say, and escapes its value', async () => {
    const text = await textOf(field({ ...options, value: '"><b>' }));
    expect(text).not.toMatch(/aria-|-error|-hint/);
    expect(text).toContain('value="&quot;&gt;&lt;b&gt;"');
  });
});

describe('a form', () => {
  it('posts its token and what is hidden in it', async () => {
    const text = await textOf(form({ action: '/x', token: 't"', hidden: { a: '1' }, body: html`<i></i>` }));
    expect(text).toContain('<form method="post" action="/x">');
    expect(text).toContain('name="form_token" value="t&quot;"');
    expect(text).toContain('name="a" value="1"');
  });

  it('says what is wrong as an alert', async () => {
    expect(await textOf(note('bad', 'No.'))).toContain('role="alert"');
    expect(await textOf(note('good', 'Done.'))).toContain('role="status"');
  });
});

describe('an error page', () => {
  it('tells what an AppError says, with its status and when to come again', async () => {
    const error = new AppError('RATE_LIMITED', 'Too many.', { retryAfterSeconds: 1.5 });
    const response = await errorPage(error, 'request-1');
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '2']);
    expect(await response.text()).toContain('Too many.');
  });

  it('tells nothing of another error but the id of its request', async () => {
    const response = await errorPage(new Error('password=hunter2'), 'request-1');
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).toContain('request-1');
    expect(text).not.toContain('hunter2');
  });
});
