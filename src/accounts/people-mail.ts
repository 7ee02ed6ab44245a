/** What the features that mail people need of the way out. */
import { AppError } from '../lib/errors.ts';

export type MailAccess = {
  /** Whether mails can leave at all; false in production without SMTP_URL. */
  readonly canSend: boolean;
  /** Sends what waits without waiting for the next look, if this process sends. Never throws. */
  readonly hurry: () => void;
};

/** Refuses (`CONFLICT`) what only a mail can finish, where there is none. */
export function requireMail({ canSend }: MailAccess): void {
  if (canSend) return;
  throw new AppError(
    'CONFLICT',
    'Mail is not configured on this server, so nothing can be sent; its operator has to set SMTP_URL and MAIL_FROM.',
  );
}
