/** Hands mails over by SMTP (RFC 5321), one connection a mail: few are sent, and none keeps a connection open. */
import { createTransport, type SMTPTransportOptions } from 'nodemailer';
import { assertSendable, MailRefused, type MailTransport } from './mail.ts';
import type { SmtpSettings } from './smtp-settings.ts';

export type SmtpTransportOptions = SmtpSettings & {
  /** Certificates (PEM) to trust instead of those that Node trusts. */
  readonly ca?: string;
  /** How long a mail may take in all, milliseconds. */
  readonly timeoutMs?: number;
};

const CONNECT_MS = 10_000;
const SILENCE_MS = 20_000;
const WHOLE_MS = 60_000;

/** A transport to this server. Nothing is connected before the first mail. */
export function createSmtpTransport(options: SmtpTransportOptions): MailTransport {
  const { from, timeoutMs = WHOLE_MS } = options;
  const transporter = createTransport(toOptions(options));
  return {
    send: async (mail, id) => {
      assertSendable(mail);
      const sent = transporter.sendMail({
        from: { name: from.name, address: from.address },
        to: { name: '', address: mail.to },
        subject: mail.subject,
        text: mail.text,
        html: mail.html,
        messageId: `<${id}@${from.address.split('@').at(-1)}>`,
        // Not answered by "out of office" (RFC 3834 5).
        headers: { 'Auto-Submitted': 'auto-generated' },
        disableFileAccess: true,
        disableUrlAccess: true,
      });
      try {
        await within(timeoutMs, sent);
      } catch (error) {
        throw refusal(error) ?? error;
      }
    },
  };
}

function toOptions({ server, ca }: SmtpTransportOptions): SMTPTransportOptions {
  const { host, port, tls, credentials } = server;
  return {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'off',
    tls: { rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) },
    ...(credentials === undefined ? {} : { auth: { user: credentials.user, pass: credentials.password } }),
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    dnsTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    logger: false,
  };
}

/** A server that goes on speaking without end does not hold up the mails behind this one. */
async function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => timeout.reject(new Error(`The mail server took longer than ${timeoutMs} ms.`)),
    timeoutMs,
  );
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A 5xx for the recipient or the content is for good (RFC 5321 4.2.1). One for the sender, the login or the greeting is
 * a fault of the settings, after whose repair the mail will pass.
 */
function refusal(error: unknown): MailRefused | undefined {
  if (!(error instanceof Error)) return undefined;
  const { permanent, command, response } = error as Error &
    Record<'permanent' | 'command' | 'response', unknown>; // Of nodemailer's errors.
  if (permanent !== true || (command !== 'RCPT TO' && command !== 'DATA')) return undefined;
  return new MailRefused(`The mail server refused it: ${String(response).slice(0, 300)}`, { cause: error });
}
