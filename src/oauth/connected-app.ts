/** Connected apps: what a person allowed, and how the person takes it back. */
import type { Pool } from 'pg';
import { difference } from '../audit/difference.ts';
import type { AuditSource } from '../audit/entry.ts';
import { recordOn } from '../audit/record.ts';
import type { Clock } from '../lib/clock.ts';
import { AppError } from '../lib/errors.ts';
import { isUuid } from '../lib/ids.ts';
import { inTransaction } from '../platform/database/pool.ts';
import { runOn } from '../platform/database/run.ts';
import {
  type ConnectedApp,
  deleteOwnConsent,
  type RevokedConsent,
  selectConnectedApps,
} from './connected-app-statements.ts';

export type ConnectedApps = {
  /** The apps that the person has connected, in all organizations, newest first. */
  readonly list: (userId: string) => Promise<readonly ConnectedApp[]>;
  /**
   * Takes back what the person allowed one app, by the id of its consent: all its tokens end at once (rule 23).
   * Errors: `NOT_FOUND`.
   */
  readonly revoke: (
    person: { readonly userId: string; readonly source: AuditSource },
    id: string,
  ) => Promise<void>;
};

export type ConnectedAppsDeps = {
  /** Logs in as a member of the role optio_auth. */
  readonly pool: Pool;
  readonly clock: Clock;
};

/** A bound on a page; nobody has connected so many. */
const MAX_APPS = 200;

/** The connected apps of people. Errors of every function: `UNAVAILABLE` while the database is away. */
export function createConnectedApps({ pool, clock }: ConnectedAppsDeps): ConnectedApps {
  const run = runOn(pool);
  return {
    list: async (userId) => (await run<ConnectedApp>(selectConnectedApps(userId, MAX_APPS))).rows,
    revoke: ({ userId, source }, id) =>
      inTransaction(pool, async (tx) => {
        const [gone] = isUuid(id) ? (await tx.query<RevokedConsent>(deleteOwnConsent(userId, id))).rows : [];
        if (gone === undefined)
          throw new AppError('NOT_FOUND', 'This app is not connected, or not any more.');
        const { organizationId, clientRef, name, scopes } = gone;
        await recordOn(
          tx,
          { place: { organizationId }, source, now: clock.now() },
          {
            action: 'oauth_consent.revoked',
            target: { type: 'OAuthClient', id: clientRef, label: name },
            changes: difference({ scopes }, {}),
          },
        );
      }),
  };
}
