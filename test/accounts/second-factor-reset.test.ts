import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resetSecondFactor } from '../../src/accounts/second-factor-reset.ts';
import {
  SECOND_FACTOR_RESET_TEMPLATE,
  secondFactorResetTemplate,
} from '../../src/accounts/second-factor-reset-mail.ts';
import type { User } from '../../src/accounts/statements.ts';
import type { Viewer } from '../../src/accounts/viewer.ts';
import { newId } from '../../src/lib/ids.ts';
import { sendDueMails } from '../../src/platform/mail/mailer.ts';
import { openMailbox } from './mailbox.ts';
import { openPeople, PASSWORD, type People } from './people.ts';
import { openSite, type Site } from './site.ts';

const ORIGIN = { address: '203.0.113.9', userAgent: 'Firefox', requestId: 'request-1' };

let people: People;
let north: string;
let south: string;
let ada: User;
let hurried = 0;
beforeAll(async () => {
  people = await openPeople();
  north = await people.addOrganization('North');
  south = await people.addOrganization('South');
  ada = await people.addUser();
  await people.join(ada, north);
});
afterAll(() => people.close());

function viewer(change: Partial<Viewer> = {}, isPlatformAdmin = false): Viewer {
  return {
    organizationId: north,
    role: 'ADMIN',
    userId: ada.id,
    clientId: null,
    scopes: null,
    expiresAt: new Date('2026-11-26T09:00:00Z'),
    tokenId: null,
    session: { id: newId(), isPlatformAdmin },
    ...change,
  };
}

const reset = (by: Viewer, user: Pick<User, 'id'>, canSend = true) =>
  resetSecondFactor({
    pool: people.pool,
    clock: people.clock,
    mail: { canSend, hurry: () => void hurried++ },
  })(by, user.id, ORIGIN);

/** A member of the organizations with a second factor, recovery codes and a session. */
async function member(organizations: readonly string[], isPlatformAdmin = false): Promise<User> {
  const user = await people.addUser({ isPlatformAdmin });
  for (const organization of organizations) await people.join(user, organization, 'EDUCATOR');
  const id = [user.id];
  await people.sql(
    `INSERT INTO second_factors (user_id, sealed_secret, last_used_step, created_at) VALUES ($1, '\\x00', 1, now())`,
    id,
  );
  await people.sql(`INSERT INTO recovery_codes (user_id, hash) VALUES ($1, '\\x01')`, id);
  await people.sql(
    `INSERT INTO sessions (id, user_id, token_hash, created_at, last_used_at, expires_at)
     VALUES (gen_random_uuid(), $1, sha256($2::text::bytea), now(), now(), now() + interval '1 day')`,
    [user.id, user.id],
  );
  return user;
}

const factorsOf = ({ id }: User) =>
  people.sql(
    `SELECT (SELECT count(*)::int FROM second_factors WHERE user_id = $1) AS factors,
       (SELECT count(*)::int FROM recovery_codes WHERE user_id = $1) AS codes,
       (SELECT count(*)::int FROM sessions WHERE user_id = $1 AND ended_at IS NULL) AS sessions`,
    [id],
  );
const GONE = [{ factors: 0, codes: 0, sessions: 0 }];
const STAYS = [{ factors: 1, codes: 1, sessions: 1 }];

describe('resetting the second factor of somebody who has lost it', () => {
  it('takes it away with its recovery codes, ends the sessions, and is in the log of the organization', async () => {
    const grace = await member([north]);
    expect(await reset(viewer(), grace)).toEqual({ hadSecondFactor: true });
    expect(await factorsOf(grace)).toEqual(GONE);
    const entries = await people.sql(
      `SELECT organization_id, actor_id, address, target_label FROM audit_entries
       WHERE action = 'second_factor.reset' AND target_id = $1`,
      [grace.id],
    );
    expect(entries).toEqual([
      { organization_id: north, actor_id: ada.id, address: ORIGIN.address, target_label: grace.email },
    ]);
  });

  it('tells the person by mail, where there is mail', async () => {
    const grace = await member([north]);
    await reset(viewer(), grace, false);
    expect(await people.sql('SELECT FROM outgoing_mails WHERE key LIKE $1', [`%${grace.id}`])).toEqual([]);
    const alan = await member([north]);
    const before = hurried;
    await reset(viewer(), alan);
    expect(hurried).toBe(before + 1);
    const mailbox = openMailbox();
    const { pool, clock } = people;
    const template = secondFactorResetTemplate({ pool, publicUrl: 'https://optio.example' });
    const templates = { [SECOND_FACTOR_RESET_TEMPLATE]: template };
    await sendDueMails({ pool, clock, transport: mailbox.transport, templates, warn: () => undefined });
    const mail = mailbox.mails.find(({ to }) => to === alan.email);
    expect(mail?.text).toContain('2026-11-25 at 09:00 UTC');
    expect(mail?.text).toContain('https://optio.example/account/second-factor');
  });

  it('can be repeated: whoever has none is left as it is', async () => {
    const grace = await member([north]);
    await reset(viewer(), grace);
    await people.sql(`UPDATE sessions SET ended_at = NULL WHERE user_id = $1`, [grace.id]);
    expect(await reset(viewer(), grace)).toEqual({ hadSecondFactor: false });
    expect(await factorsOf(grace)).toEqual([{ factors: 0, codes: 0, sessions: 1 }]);
  });

  it.each(['EDUCATOR', 'STUDENT'] as const)('is not for %s', async (role) => {
    const grace = await member([north]);
    await expect(reset(viewer({ role }), grace)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await factorsOf(grace)).toEqual(STAYS);
  });

  it('is not for a token, even an admin’s', async () => {
    const grace = await member([north]);
    const { session: _session, ...token } = viewer({ clientId: 'client', scopes: ['write:users'] });
    await expect(reset(token, grace)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await factorsOf(grace)).toEqual(STAYS);
  });

  it('is not for oneself, by a session that was left open', async () => {
    await expect(reset(viewer(), ada)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('does not know who is a member elsewhere alone, nor what is no id', async () => {
    const grace = await member([south]);
    await expect(reset(viewer(), grace)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(reset(viewer(), { id: 'x' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await factorsOf(grace)).toEqual(STAYS);
  });

  it('is for an admin of the platform when the account is more than a member of one organization', async () => {
    const grace = await member([north, south]);
    const alan = await member([north], true);
    for (const person of [grace, alan]) {
      await expect(reset(viewer(), person)).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: expect.stringContaining('admin of the platform'),
      });
      expect(await factorsOf(person)).toEqual(STAYS);
      await reset(viewer({ role: 'STUDENT' }, true), person);
      expect(await factorsOf(person)).toEqual(GONE);
    }
  });
});

describe('what begins or ends a session', () => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
  });
  afterAll(() => site.close());

  it('is recorded with it: neither happens without the other', async () => {
    const grace = await site.addUser();
    await site.join(grace, await site.addOrganization());
    const visitor = site.browse();
    await visitor.signIn(grace.email, PASSWORD);
    const alive = () => site.sql('SELECT FROM sessions WHERE user_id = $1 AND ended_at IS NULL', [grace.id]);
    expect(await alive()).toHaveLength(1);
    site.breakRecord(true);
    expect((await visitor.send('/logout', '/logout')).status).toBe(500);
    expect((await site.browse().signIn(grace.email, PASSWORD)).status).toBe(500);
    expect(await alive()).toHaveLength(1);
    site.breakRecord(false);
    expect((await visitor.send('/logout', '/logout')).status).toBe(303);
    expect(await alive()).toHaveLength(0);
  });
});
