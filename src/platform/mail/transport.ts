/** The way out that the settings ask for. */
import type { MailTransport } from './mail.ts';
import type { SmtpSettings } from './smtp-settings.ts';
import { createTerminalTransport } from './terminal-transport.ts';

export type MailSettings = {
  /** Undefined: no mail server is configured. */
  readonly smtp: SmtpSettings | undefined;
  readonly production: boolean;
};

/** To the mail server; where there is none, on the terminal in development, and nowhere in production. */
export async function createMailTransport({
  smtp,
  production,
}: MailSettings): Promise<MailTransport | undefined> {
  if (smtp !== undefined) {
    // Loaded only where there is a mail server.
    const { createSmtpTransport } = await import('./smtp-transport.ts');
    return createSmtpTransport(smtp);
  }
  return production ? undefined : createTerminalTransport((text) => void process.stdout.write(text));
}
