/**
 * For development without a mail server: prints each mail, with the link in it, on the terminal. Not through the log,
 * which takes secrets out and may be collected; app.ts uses it outside production only.
 */
import { assertSendable, type MailTransport } from './mail.ts';

/** `write` puts text on the terminal. */
export function createTerminalTransport(write: (text: string) => void): MailTransport {
  return {
    send: async (mail) => {
      assertSendable(mail);
      const lines = [`Mail for ${mail.to}: ${mail.subject}`, '', ...mail.text.trimEnd().split('\n')];
      const frame = '-'.repeat(72);
      write(
        `\n${frame}\n${lines.map(printable).join('\n')}\n${frame}\n(Development: SMTP_URL is not set.)\n\n`,
      );
    },
  };
}

/** Without control characters, which could move the terminal's cursor. */
function printable(line: string): string {
  return line.replaceAll(/\p{Cc}/gu, '?');
}
