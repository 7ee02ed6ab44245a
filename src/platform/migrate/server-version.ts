/** Which PostgreSQL versions the server runs on. */
import type { Client } from 'pg';
import { AppError } from '../../lib/errors.ts';

const OLDEST_MAJOR = 15;

/** Throws `UNAVAILABLE` when PostgreSQL is older than 15. */
export async function checkServerVersion(client: Pick<Client, 'query'>): Promise<void> {
  const { rows } = await client.query<{ number: number; text: string }>(
    "SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS text",
  );
  const { number, text } = rows[0] ?? { number: 0, text: 'of an unknown version' };
  if (Math.floor(number / 10_000) < OLDEST_MAJOR) {
    throw new AppError(
      'UNAVAILABLE',
      `The database runs PostgreSQL ${text}, but ${OLDEST_MAJOR} or newer is needed: upgrade it, or set DATABASE_URL to another one.`,
    );
  }
}
