/** What a start prints: where the server is, and, the first time, how to get in. */
import type { Config } from './config.ts';
import { DEMO_ACCOUNTS, DEMO_CLIENT, DEMO_ORGANIZATION, DEMO_PASSWORD } from './demo/school.ts';
import type { Log } from './platform/log.ts';
import type { Prepared } from './prepare.ts';

export type Announcement = {
  readonly config: Config;
  readonly log: Log;
  /** The one it listens on, whatever PORT says. */
  readonly port: number;
  readonly publicUrl: string;
  readonly prepared: Pick<Prepared, 'first' | 'demo'>;
};

/** Credentials go to standard output only, never into the log; secret ones only when they were made just now. */
export function announce({ config, log, port, publicUrl, prepared }: Announcement): void {
  const { first } = prepared;
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
    ...(prepared.demo === undefined ? [] : demoLines(publicUrl)),
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

/** No secrets: they are the same everywhere, and production has no demo. */
function demoLines(publicUrl: string): readonly string[] {
  const [admin, educator, student] = DEMO_ACCOUNTS;
  return [
    '',
    `Demo          ${DEMO_ORGANIZATION.name}: a week of deliveries, and more every few seconds (DEMO=0: none)`,
    `Demo accounts ${[admin, educator, student].map(({ email, role }) => `${email} (${role})`).join(', ')}`,
    `              password of all: ${DEMO_PASSWORD}`,
    `Demo client   ${DEMO_CLIENT.clientId}, secret ${DEMO_CLIENT.clientSecret}`,
    `Demo receiver ${publicUrl}/demo/receiver`,
  ];
}

function shownOnce(what: string, value: string | undefined): string {
  return value === undefined ? '' : `, ${what} ${value} (shown only now)`;
}
