/** What a start prints: where the server is, and, the first time, how to get in. */
import type { Config } from './config.ts';
import type { Log } from './platform/log.ts';
import type { Prepared } from './prepare.ts';

export type Announcement = {
  readonly config: Config;
  readonly log: Log;
  /** The one it listens on, whatever PORT says. */
  readonly port: number;
  readonly publicUrl: string;
  readonly first: Prepared['first'];
};

/** Credentials go to standard output only, never into the log, and only when they were made just now. */
export function announce({ config, log, port, publicUrl, first }: Announcement): void {
  for (const warning of first.client.warnings) log.warn({}, warning);
  log.info({ role: config.role, port, publicUrl }, 'ready');
  if (config.role === 'worker') return;
  const lines = [
    `Sign in       ${publicUrl}/login`,
    `GraphQL       ${publicUrl}/graphql`,
    `REST          ${publicUrl}/api, explained and to try out at ${publicUrl}/docs`,
    `OAuth token   ${publicUrl}/api/oauth/token`,
    `Health        ${publicUrl}/readyz`,
    '',
    `Organization  ${first.organization.name} (${first.organization.id})`,
    `Admin         ${first.admin.email}${shownOnce('password', first.admin.password)}`,
    `Client        ${first.client.clientId}`,
    ...exportLine(first.client),
  ];
  process.stdout.write(
    `\nOptio Connect is ready at ${publicUrl}\n\n${lines.map((line) => `  ${line}\n`.replace(/^ +\n$/, '\n')).join('')}\n`,
  );
}

/** To paste into a shell, as README's first steps want it. */
function exportLine({ clientId, clientSecret }: Prepared['first']['client']): readonly string[] {
  if (clientSecret === undefined) return [];
  return [
    '',
    'Shown only now, to paste into another terminal:',
    `export CLIENT_ID=${clientId} CLIENT_SECRET=${clientSecret}`,
  ];
}

function shownOnce(what: string, value: string | undefined): string {
  return value === undefined ? '' : `, ${what} ${value} (shown only now)`;
}
