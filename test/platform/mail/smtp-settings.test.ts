import { describe, expect, it } from 'vitest';
import { parseMailbox, parseSmtpUrl } from '../../../src/platform/mail/smtp-settings.ts';

describe('SMTP_URL', () => {
  it.each([
    ['smtps://mail.example', { host: 'mail.example', port: 465, tls: 'implicit' }],
    ['smtp://mail.example', { host: 'mail.example', port: 587, tls: 'starttls' }],
    ['smtp://mail.example:2525/', { host: 'mail.example', port: 2_525, tls: 'starttls' }],
    ['smtp://relay?tls=off', { host: 'relay', port: 25, tls: 'off' }],
    ['smtps://[2001:db8::1]:4650', { host: '2001:db8::1', port: 4_650, tls: 'implicit' }],
  ])('%s is understood', (url, expected) => {
    expect(parseSmtpUrl(url)).toEqual({ ...expected, credentials: undefined });
  });

  it('holds user and password, percent-encoded', () => {
    const { credentials } = parseSmtpUrl('smtps://optio%40school.example:p%40ss%25%2Fword@mail.example');
    expect(credentials).toEqual({ user: 'optio@school.example', password: 'p@ss%/word' });
  });

  it.each(['localhost', '127.0.0.1', '[::1]'])('sends a password in clear to %s, this machine', (host) => {
    expect(parseSmtpUrl(`smtp://user:tops3cr3t@${host}?tls=off`).credentials?.user).toBe('user');
  });

  it.each([
    ['mail.example', 'a URL like smtps://'],
    ['https://mail.example', 'a URL like smtps://'],
    ['smtp://', 'a URL like smtps://'],
    ['smtps://mail.example/inbox', 'without a path'],
    ['smtps://mail.example#now', 'without a path'],
    ['smtps://mail.example:70000', 'a URL like smtps://'],
    ['smtps://user@mail.example', 'both user and password'],
    ['smtps://:tops3cr3t@mail.example', 'both user and password'],
    ['smtps://user:tops3cr3t%@mail.example', 'percent-encoded'],
    ['smtps://mail.example?tls=off', '?tls=off'],
    ['smtp://mail.example?tls=none', '?tls=off'],
    ['smtp://mail.example?tls=off&tls=off', '?tls=off'],
    ['smtp://mail.example?rejectUnauthorized=false', '?tls=off'],
    ['smtp://user:tops3cr3t@mail.example?tls=off', 'never sent in clear'],
  ])('%s is refused, without the password in the words', (url, expected) => {
    const refusal = messageOf(() => parseSmtpUrl(url));
    expect(refusal).toContain(expected);
    expect(refusal).not.toContain('tops3cr3t');
  });
});

describe('MAIL_FROM', () => {
  it.each([
    ['no-reply@school.example', { name: '', address: 'no-reply@school.example' }],
    [
      'Optio Connect <no-reply@school.example>',
      { name: 'Optio Connect', address: 'no-reply@school.example' },
    ],
    [' École <mail@école.example> ', { name: 'École', address: 'mail@école.example' }],
  ])('%s is understood', (text, expected) => {
    expect(parseMailbox(text)).toEqual(expected);
  });

  it.each([
    'Optio Connect',
    'Optio <no-reply@school.example',
    'a@b.example, c@d.example',
    'Optio\r\nBcc: all@school.example <no-reply@school.example>',
    '"Optio" <no-reply@school.example>',
    'Optio <>',
  ])('%j is refused', (text) => {
    expect(messageOf(() => parseMailbox(text))).toContain('an address like no-reply@school.example');
  });
});

function messageOf(act: () => unknown): string {
  try {
    return `It was taken: ${JSON.stringify(act())}`;
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
}
