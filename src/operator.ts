/**
 * What only the operator may do, on the command line: `node src/operator.ts reset-second-factor EMAIL`. It reads the same
 * settings as the server. An embedded database is used by one process at a time, so the server has to be stopped first.
 */
import { resetSecondFactorAsOperator } from './accounts/second-factor-reset.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { systemClock } from './lib/clock.ts';
import { AppError } from './lib/errors.ts';
import { createPool } from './platform/database/pool.ts';
import { createLog } from './platform/log.ts';
import { openDatabase } from './prepare.ts';

const USAGE = `Usage: node src/operator.ts reset-second-factor EMAIL
  Takes the second factor off the account and ends its sessions. It signs in with the password alone then.
`;

await main(process.argv.slice(2));

async function main([command, email, ...more]: readonly string[]): Promise<void> {
  try {
    if (command !== 'reset-second-factor' || email === undefined || more.length > 0)
      throw new AppError('BAD_REQUEST', USAGE.trimEnd());
    process.stdout.write(await resetSecondFactor(readConfig(process.env), email));
  } catch (error) {
    if (!(error instanceof ConfigError) && !(error instanceof AppError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

async function resetSecondFactor(config: Config, email: string): Promise<string> {
  const mail = { canSend: config.smtp !== undefined, hurry: () => undefined };
  const database = await openDatabase(config, createLog({ level: 'error', pretty: true }));
  const pool = createPool({ url: database.url, maxConnections: 1, onIdleError: () => undefined });
  try {
    const deps = { pool, clock: systemClock, mail };
    const { hadSecondFactor } = await resetSecondFactorAsOperator(deps, email.trim().toLowerCase());
    return hadSecondFactor
      ? `The second factor of ${email} is gone, and its sessions have ended. It is in the audit log.\n`
      : `${email} has no second factor; nothing was changed.\n`;
  } finally {
    await pool.end();
    await database.stop();
  }
}
