/** A mail as features compose it, and the ways it can leave. */

/** To one person, in plain text and as HTML that says the same. */
export type Mail = {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
};

export type MailTransport = {
  /**
   * Hands the mail over under an id of its own (each attempt has another one: what is in the mail differs). Throws `MailRefused` when another attempt would be refused
   * as well, any other error when it is worth one.
   */
  readonly send: (mail: Mail, id: string) => Promise<void>;
};

/** The mail was refused for good: the mailbox is unknown, say. */
export class MailRefused extends Error {
  override readonly name = 'MailRefused';
}

const MAX_ADDRESS_CHARACTERS = 254;
const MAX_SUBJECT_CHARACTERS = 200;

// An atom or several with dots between (RFC 5322 3.2.3, with the letters of RFC 6532); names of hosts (RFC 5890).
// Quoted forms are left out: nobody has them, and they are where injections hide.
const ATOM = "[\\p{L}\\p{N}!#$%&'*+/=?^_`{|}~-]+";
const LABEL = '[\\p{L}\\p{N}](?:[\\p{L}\\p{N}-]{0,61}[\\p{L}\\p{N}])?';
const ADDRESS = new RegExp(`^(?=[^@]{1,64}@)${ATOM}(?:\\.${ATOM})*@${LABEL}(?:\\.${LABEL})*$`, 'u');

/** Whether mail can be sent to it: `local@host`, without quotes, comments and whatever else could change a command. */
export function isMailAddress(text: string): boolean {
  return text.length <= MAX_ADDRESS_CHARACTERS && ADDRESS.test(text);
}

/** Throws when the recipient is no address, or the subject is no single line of a subject's length. */
export function assertSendable({ to, subject }: Pick<Mail, 'to' | 'subject'>): void {
  if (!isMailAddress(to)) throw new MailRefused('The recipient is no mail address.');
  if (subject === '' || subject.length > MAX_SUBJECT_CHARACTERS || /\p{Cc}|\p{Zl}|\p{Zp}/u.test(subject)) {
    throw new MailRefused('The subject of a mail is one line of 1 to 200 characters.');
  }
}
