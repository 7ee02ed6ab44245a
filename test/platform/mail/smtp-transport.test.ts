/** Handing mails over by SMTP, to a real server on a real socket. */
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { writeLetter } from '../../../src/platform/mail/letter.ts';
import { MailRefused } from '../../../src/platform/mail/mail.ts';
import { parseSmtpUrl } from '../../../src/platform/mail/smtp-settings.ts';
import { createSmtpTransport } from '../../../src/platform/mail/smtp-transport.ts';
import {
  type MailServer,
  type MailServerOptions,
  readAuthority,
  startMailServer,
} from '../../support/mail-server.ts';

const FROM = { name: 'Optio "Connect"', address: 'no-reply@optio.example' };
const ID = '019ab0c4-7d1e-7c5a-9f00-2b8f6f0d6a11';
const MAIL = writeLetter({
  to: 'ada@school.example',
  subject: 'Grüße an Ada: a new password',
  paragraphs: ['Good day, Jürgen.'],
  link: { label: 'Choose', url: `https://optio.example/reset?token=${'t0ken'.repeat(20)}` },
  notes: ['.', 'From here on'],
});
const LOGIN = { user: 'optio', password: 'p@ss word' };

const opened: { close: () => Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

async function open(options: MailServerOptions = {}): Promise<MailServer> {
  const server = await startMailServer(options);
  opened.push(server);
  return server;
}

/** The error that sending by this URL ends with; undefined when it was sent. */
async function send(
  url: string,
  mail = MAIL,
  options: { ca?: string; timeoutMs?: number } = {},
): Promise<unknown> {
  const { send: hand } = createSmtpTransport({ server: parseSmtpUrl(url), from: FROM, ...options });
  return hand(mail, ID).then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('a mail', () => {
  it('arrives as it was written, marked as sent by a program, with an id that stays', async () => {
    const server = await open();
    expect(await send(`smtp://127.0.0.1:${server.port}?tls=off`)).toBeUndefined();
    const [mail] = server.mails;
    expect(mail).toMatchObject({ from: 'no-reply@optio.example', to: ['ada@school.example'], secure: false });
    expect(mail?.text.replaceAll('\r\n', '\n').trim()).toBe(MAIL.text.trim());
    expect(mail?.html.replaceAll('\r\n', '\n').trim()).toBe(MAIL.html.trim());
    expect(mail?.headers.get('to')).toBe('ada@school.example');
    expect(mail?.headers.get('from')).toContain('<no-reply@optio.example>');
    expect(mail?.headers.get('message-id')).toBe(`<${ID}@optio.example>`);
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.headers.get('subject')).toMatch(/^=\?UTF-8\?/);
  });

  it.each([
    ['recipient', { to: 'ada@school.example\r\nBcc: eve@evil.example' }],
    ['recipient', { to: 'ada@school.example, eve@evil.example' }],
    ['subject', { subject: 'Hello\r\nBcc: eve@evil.example' }],
  ])('with a header in its %s is sent to nobody', async (_, change) => {
    const server = await open();
    const error = await send(`smtp://127.0.0.1:${server.port}?tls=off`, { ...MAIL, ...change });
    expect(error).toBeInstanceOf(MailRefused);
    expect(server.mails).toEqual([]);
  });

  it('stays text, whatever stands in it: it can read no file and no address', async () => {
    const server = await open();
    const text = 'file:///etc/hostname\r\n.\r\nMAIL FROM:<eve@evil.example>\r\n';
    expect(await send(`smtp://127.0.0.1:${server.port}?tls=off`, { ...MAIL, text })).toBeUndefined();
    expect(server.mails).toHaveLength(1);
    expect(server.mails[0]?.text).toContain('MAIL FROM:<eve@evil.example>');
  });
});

describe('TLS (RFC 3207, RFC 8314)', () => {
  it.each([
    ['smtps', 'implicit'],
    ['smtp', 'starttls'],
  ] as const)('%s:// encrypts, verifies, and only then signs in', async (scheme, tls) => {
    const server = await open({ tls, login: LOGIN });
    const url = `${scheme}://optio:p%40ss%20word@127.0.0.1:${server.port}`;
    expect(await send(url, MAIL, { ca: await readAuthority() })).toBeUndefined();
    expect(server.mails).toMatchObject([{ secure: true, user: 'optio' }]);
  });

  it.each(['cert.pem', 'self-signed.pem', 'expired.pem'])(
    'a certificate that does not hold (%s, its authority unknown) gets no mail',
    async (certificate) => {
      for (const [scheme, tls] of [
        ['smtps', 'implicit'],
        ['smtp', 'starttls'],
      ] as const) {
        const server = await open({ tls, certificate });
        expect(await send(`${scheme}://127.0.0.1:${server.port}`)).toBeInstanceOf(Error);
        expect(server.mails).toEqual([]);
      }
    },
  );

  it('smtp:// sends nothing, and no password, where STARTTLS is not offered', async () => {
    const server = await open({ tls: 'off', login: LOGIN });
    const error = await send(`smtp://optio:p%40ss%20word@127.0.0.1:${server.port}`, MAIL, {
      ca: await readAuthority(),
    });
    expect(error).toMatchObject({ code: 'ETLS' });
    expect(server.mails).toEqual([]);
  });
});

describe('a refusal (RFC 5321 4.2.1)', () => {
  it.each([
    ['recipient', 550, true],
    ['recipient', 450, false],
    ['content', 554, true],
    ['content', 451, false],
  ] as const)('of the %s with %d is for good: %s', async (at, code, isFinal) => {
    const server = await open();
    server.refuse = { at, code, text: 'No such mailbox' };
    const error = await send(`smtp://127.0.0.1:${server.port}?tls=off`);
    expect(error instanceof MailRefused).toBe(isFinal);
    expect(error).toHaveProperty('message', expect.stringContaining('No such mailbox'));
  });

  it('of the login is a fault of the settings, not of the mail', async () => {
    const server = await open({ tls: 'implicit', login: LOGIN });
    const error = await send(`smtps://optio:wrong-word@127.0.0.1:${server.port}`, MAIL, {
      ca: await readAuthority(),
    });
    expect(error).not.toBeInstanceOf(MailRefused);
    expect(error).toMatchObject({ code: 'EAUTH' });
    expect(String(error)).not.toContain('wrong-word');
  });
});

describe('a server that is not there', () => {
  it('is an error that is worth another attempt', async () => {
    const server = await open();
    await server.close();
    const error = await send(`smtp://127.0.0.1:${server.port}?tls=off`);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(MailRefused);
  });

  it('though it accepts connections, holds up a mail no longer than allowed', async () => {
    const silent = createServer((socket) => socket.on('error', () => undefined).write('220-wait\r\n'));
    await new Promise<void>((resolve) => {
      silent.listen(0, '127.0.0.1', resolve);
    });
    const { port } = silent.address() as { port: number }; // Of a TCP server.
    const error = await send(`smtp://127.0.0.1:${port}?tls=off`, MAIL, { timeoutMs: 50 });
    expect(error).toHaveProperty('message', 'The mail server took longer than 50 ms.');
    silent.close();
    silent.unref();
  });
});
