/** Where the mails of a test go that is not about mail. */
import type { Mail, MailTransport } from '../../src/platform/mail/mail.ts';

export type Mailbox = {
  readonly transport: MailTransport;
  readonly mails: readonly Mail[];
  /** The path of the link in the next mail that comes for this address. */
  readonly nextLink: (email: string) => Promise<string>;
};

export function openMailbox(): Mailbox {
  const mails: Mail[] = [];
  const readers = new Set<(mail: Mail) => void>();
  return {
    mails,
    transport: {
      send: async (mail) => {
        mails.push(mail);
        for (const read of readers) read(mail);
      },
    },
    nextLink: (email) =>
      new Promise((resolve) => {
        const read = (mail: Mail): void => {
          if (mail.to !== email) return;
          readers.delete(read);
          const { pathname, search } = new URL(/https?:\/\/\S+/.exec(mail.text)?.[0] ?? '');
          resolve(`${pathname}${search}`);
        };
        readers.add(read);
      }),
  };
}
