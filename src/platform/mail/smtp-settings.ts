/** Where mail is handed over: `SMTP_URL` and `MAIL_FROM`, parsed into what the transport needs. */
import { isMailAddress } from './mail.ts';

/**
 * `implicit`: TLS from the first byte; `starttls`: none of the mail before the connection was upgraded (RFC 3207);
 * `off`: in clear. Certificates are verified in both of the former (RFC 8314 4).
 */
export type SmtpTls = 'implicit' | 'starttls' | 'off';

export type SmtpServer = {
  readonly host: string;
  readonly port: number;
  readonly tls: SmtpTls;
  readonly credentials: { readonly user: string; readonly password: string } | undefined;
};

/** Who mails are from: `Name <address>`, or the address alone. */
export type Mailbox = { readonly name: string; readonly address: string };

export type SmtpSettings = { readonly server: SmtpServer; readonly from: Mailbox };

const EXPECTED =
  'expected a URL like smtps://user:password@mail.school.example:465, or smtp:// for STARTTLS on port 587';
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

/** Parses `SMTP_URL`. Throws an Error that says what is expected; the password is in none of its messages. */
export function parseSmtpUrl(text: string): SmtpServer {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^smtps?:$/.test(url.protocol) || url.hostname === '') throw new Error(EXPECTED);
  if (!/^\/?$/.test(url.pathname) || url.hash !== '') throw new Error(`${EXPECTED}, without a path`);
  const tls = parseTls(url);
  const credentials = parseCredentials(url);
  if (tls === 'off' && credentials !== undefined && !LOOPBACK.test(url.hostname)) {
    throw new Error('a user and password are never sent in clear: leave out ?tls=off');
  }
  const port = url.port === '' ? { implicit: 465, starttls: 587, off: 25 }[tls] : Number(url.port);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port, tls, credentials };
}

function parseTls(url: URL): SmtpTls {
  const asked = [...url.searchParams];
  if (asked.length === 0) return url.protocol === 'smtps:' ? 'implicit' : 'starttls';
  const [[name, value] = ['', '']] = asked;
  if (asked.length === 1 && name === 'tls' && value === 'off' && url.protocol === 'smtp:') return 'off';
  throw new Error('the one parameter there is, ?tls=off, stands with smtp:// alone');
}

function parseCredentials(url: URL): SmtpServer['credentials'] {
  if (url.username === '' && url.password === '') return undefined;
  if (url.username === '' || url.password === '')
    throw new Error(`${EXPECTED}: both user and password, or none`);
  try {
    return { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
  } catch {
    throw new Error('user and password are percent-encoded: a % in them is written %25');
  }
}

/** Parses `MAIL_FROM`. Throws an Error that says what is expected. */
export function parseMailbox(text: string): Mailbox {
  const [, name = '', bracketed] = /^([^<>]*)<([^<>]*)>$/.exec(text.trim()) ?? [];
  const address = (bracketed ?? text).trim();
  if (!isMailAddress(address) || /[\p{Cc}"]/u.test(name)) {
    throw new Error('expected an address like no-reply@school.example, or Name <no-reply@school.example>');
  }
  return { name: name.trim(), address };
}
