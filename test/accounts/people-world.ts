/** Two organizations with their people, the features that mail them, and a real mail server. */
import type { Pool, PoolClient } from 'pg';
import type { PeopleContext } from '../../src/accounts/invitation.ts';
import type { NewMember } from '../../src/accounts/invitation-acceptance.ts';
import { INVITATION_TEMPLATE, invitationTemplate } from '../../src/accounts/invitation-mail.ts';
import { setPassword } from '../../src/accounts/password.ts';
import { PASSWORD_GATE } from '../../src/accounts/password-check.ts';
import { PASSWORD_RESET_TEMPLATE, passwordResetTemplate } from '../../src/accounts/password-reset.ts';
import type { MemberRole } from '../../src/accounts/statements.ts';
import { requestContext, type Viewer } from '../../src/accounts/viewer.ts';
import { type TurnableClock, turnableClock } from '../../src/lib/clock.ts';
import { createGate, type Gate } from '../../src/lib/gate.ts';
import { newId } from '../../src/lib/ids.ts';
import { createPool } from '../../src/platform/database/pool.ts';
import { createTenancy, type Tenancy } from '../../src/platform/database/tenancy.ts';
import { sendDueMails } from '../../src/platform/mail/mailer.ts';
import { createSmtpTransport } from '../../src/platform/mail/smtp-transport.ts';
import { createTestDatabase, query, TEST_KEY, type TestDatabase } from '../support/database.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';

export const PUBLIC_URL = 'https://optio.example';
export const MINUTE = 60_000;
export const DAY = 86_400_000;
export const ORIGIN = { address: '203.0.113.9', userAgent: 'Firefox', requestId: 'request-1' };
export const PASSWORD = 'a password of choice';

export type PeopleWorld = {
  readonly database: TestDatabase;
  readonly tenancy: Tenancy;
  readonly authPool: Pool;
  readonly clock: TurnableClock;
  readonly mails: MailServer;
  /** Warnings of the mailer. */
  readonly warnings: object[];
  /** Who became members, as the features told it. */
  readonly joined: NewMember[];
  /** How often a joining was told to be committed. */
  readonly committed: string[];
  /** What the features of the link's side need. */
  readonly deps: {
    readonly pool: Pool;
    readonly clock: TurnableClock;
    readonly publicUrl: string;
    readonly gate: Gate;
    readonly mail: PeopleContext['mail'];
    readonly onMemberJoined: (tx: PoolClient, member: NewMember) => Promise<() => void>;
  };
  readonly createOrganization: (name?: string) => Promise<string>;
  /** A user with a password, or without (null). */
  readonly createUser: (email: string, password?: string | null) => Promise<string>;
  readonly addMember: (organizationId: string, userId: string, role: MemberRole) => Promise<void>;
  /** On behalf of a person who is signed in; `change` makes a token of it. */
  readonly context: (
    organizationId: string,
    role: Viewer['role'],
    userId: string | null,
    change?: Partial<Viewer>,
  ) => PeopleContext;
  /** Sends what is due. */
  readonly sendMails: () => Promise<void>;
  /** The token in the newest mail to this address. */
  readonly tokenFor: (email: string) => string;
  /** The audit log of an organization, oldest first: action, actor, target and changes. */
  readonly auditLog: (organizationId: string) => Promise<Record<string, unknown>[]>;
  readonly sql: (text: string, values?: readonly unknown[]) => Promise<Record<string, unknown>[]>;
  readonly close: () => Promise<void>;
};

export async function openPeopleWorld(): Promise<PeopleWorld> {
  const database = await createTestDatabase();
  const onIdleError = () => undefined;
  const authPool = createPool({ url: database.urls.authUrl, maxConnections: 8, onIdleError });
  const tenancy = createTenancy({ url: database.urls.tenantUrl, maxConnections: 8, onIdleError });
  const clock = turnableClock(new Date('2026-11-25T08:00:00Z'));
  const mails = await startMailServer();
  const [warnings, joined, committed]: [object[], NewMember[], string[]] = [[], [], []];
  const sql: PeopleWorld['sql'] = (text, values) => query(database.ownerUrl, text, values);
  const deps: PeopleWorld['deps'] = {
    pool: authPool,
    clock,
    publicUrl: PUBLIC_URL,
    gate: createGate(PASSWORD_GATE),
    mail: { canSend: true, hurry: () => undefined },
    onMemberJoined: async (_tx, member) => {
      joined.push(member);
      return () => void committed.push(member.userId);
    },
  };
  const transport = createSmtpTransport({
    server: { host: '127.0.0.1', port: mails.port, tls: 'off', credentials: undefined },
    from: { name: 'Optio', address: 'no-reply@optio.example' },
  });
  const templates = {
    [INVITATION_TEMPLATE]: invitationTemplate(deps),
    [PASSWORD_RESET_TEMPLATE]: passwordResetTemplate(deps),
  };
  const warn = (fields: object) => void warnings.push(fields);
  return {
    database,
    tenancy,
    authPool,
    clock,
    mails,
    warnings,
    joined,
    committed,
    deps,
    createOrganization: async (name = 'A School') => {
      const id = newId();
      await sql('INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $3)', [id, `school-${id}`, name]);
      return id;
    },
    createUser: async (email, password = PASSWORD) => {
      const id = newId();
      await sql('INSERT INTO users (id, email, name) VALUES ($1, $2, $3)', [id, email, `Name of ${email}`]);
      if (password !== null) await setPassword(authPool, { id, email }, password, clock.now());
      return id;
    },
    addMember: async (organizationId, userId, role) => {
      const values = [organizationId, userId, role];
      await sql(
        'INSERT INTO memberships (organization_id, user_id, role) VALUES ($1, $2, $3::"Role")',
        values,
      );
    },
    context: (organizationId, role, userId, change = {}) => {
      const expiresAt = new Date(clock.now().getTime() + DAY);
      const person = { organizationId, role, userId, clientId: null, scopes: null, expiresAt, tokenId: null };
      return {
        ...requestContext(tenancy, { ...person, ...change }, ORIGIN),
        clock,
        keys: [TEST_KEY],
        mail: deps.mail,
      };
    },
    sendMails: async () => {
      while ((await sendDueMails({ pool: authPool, transport, templates, clock, warn })) > 0);
    },
    tokenFor: (email) => new URL(mails.linkTo(email)).searchParams.get('token') ?? '',
    auditLog: (organizationId) =>
      sql(
        `SELECT action, actor_kind, actor_id, actor_label, target_type, target_id, target_label, changes, address
         FROM audit_entries WHERE organization_id = $1 ORDER BY id`,
        [organizationId],
      ),
    sql,
    close: async () => {
      await Promise.all([tenancy.close(), authPool.end(), mails.close()]);
      await database.drop();
    },
  };
}
