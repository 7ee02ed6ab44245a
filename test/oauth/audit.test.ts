/** What the audit log is told by the authorization server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PLATFORM } from '../../src/audit/entry.ts';
import { createHttpShell } from '../../src/platform/http/shell.ts';
import { parseCidrs } from '../../src/platform/ip-range.ts';
import { createLog } from '../../src/platform/log.ts';
import { listen } from '../rest/support.ts';
import { basic, GRANT, type Harness, inBody, startHarness } from './harness.ts';
import { addPerson, addUserClient, allow, exchange, refresh, tokensOf } from './people.ts';

let harness: Harness;
let origin: string;
let close: () => Promise<unknown>;

beforeAll(async () => {
  harness = await startHarness();
  const log = createLog({ level: 'error', pretty: false, destination: { write: () => {} } });
  const shell = createHttpShell({
    log,
    clock: harness.clock,
    https: false,
    trustedProxies: parseCidrs('127.0.0.1'),
  });
  shell.route('/', harness.oauth.routes);
  const listening = await listen(shell.fetch);
  origin = listening.origin;
  close = () => new Promise((resolve) => listening.server.close(resolve));
});
afterAll(async () => {
  await close();
  await harness.close();
});

async function entries(organizationId: string, action: string): Promise<Record<string, unknown>[]> {
  const { rows } = await harness.owner.query(
    'SELECT * FROM audit_entries WHERE organization_id = $1 AND action = $2 ORDER BY id',
    [organizationId, action],
  );
  return rows;
}

const post = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  fetch(`${origin}/api/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams({ ...GRANT, ...form }).toString(),
  });

describe('the bootstrap', () => {
  it('tells of the organization, its admin and its client, by the operator', async () => {
    const { rows } = await harness.owner.query(
      `SELECT action, actor_kind, target_label, changes FROM audit_entries WHERE organization_id = $1 AND actor_kind = 'OPERATOR' ORDER BY id`,
      [harness.organizationId],
    );
    expect(rows).toMatchObject([
      { action: 'organization.created', target_label: 'Optio Academy' },
      { action: 'platform_admin.granted', target_label: 'admin@optio.example' },
      {
        action: 'oauth_client.registered',
        changes: {
          client_id: { from: null, to: harness.client.clientId },
          grant_types: { from: null, to: ['client_credentials'] },
          status: { from: null, to: 'APPROVED' },
        },
      },
    ]);
    expect(await entries(PLATFORM, 'platform_admin.granted')).toHaveLength(1);
  });
});

describe('the first signing key', () => {
  it("is told in the platform's own log, without a word of what is private", async () => {
    await harness.token();
    const [entry, ...others] = await entries(PLATFORM, 'signing_key.created');
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      actor_kind: 'SYSTEM',
      target_type: 'SigningKey',
      changes: { algorithm: { from: null, to: 'ES256' }, signs_from: { to: expect.any(String) } },
    });
    expect(Object.keys(entry?.['changes'] ?? {})).toEqual(['algorithm', 'signs_from']);
  });
});

describe('a code or refresh token that was used before', () => {
  it('is told with the grant that was ended for it and the place it came from, and is not told itself (rule 56)', async () => {
    const [lms, person] = [await addUserClient(harness), await addPerson(harness)];
    const code = await allow(harness, { client: lms, person });
    const first = tokensOf(await exchange(harness, lms, code));
    await refresh(harness, lms, first.refresh);
    harness.clock.advance(10_001);
    const headers = { 'X-Forwarded-For': '192.0.2.9', 'User-Agent': 'a thief' };
    const form = { grant_type: 'refresh_token', refresh_token: first.refresh, ...inBody(lms) };
    expect((await post(form, headers)).status).toBe(400);
    expect((await post(form, headers)).status).toBe(400);
    const told = await entries(harness.organizationId, 'oauth_grant.reuse_detected');
    expect(told).toEqual([
      expect.objectContaining({
        actor_kind: 'CLIENT',
        actor_id: lms.clientId,
        target_type: 'OAuthGrant',
        address: '192.0.2.9',
        user_agent: 'a thief',
      }),
    ]);
    const written = JSON.stringify((await harness.owner.query('SELECT * FROM audit_entries')).rows);
    for (const secret of [code, first.refresh, first.access, lms.secret])
      expect(written).not.toContain(secret);
  });
});

describe('a client with a wrong secret', () => {
  it('is told with its address, however it sent the secret; the secret is not', async () => {
    const client = await harness.addClient();
    const wrong = { ...client, secret: 'AWrongSecretOfFortyThreeCharactersInAll0000' };
    const headers = { 'X-Forwarded-For': '192.0.2.7', 'User-Agent': 'an LMS' };
    expect((await post(inBody(wrong), headers)).status).toBe(401);
    expect((await post({}, { ...headers, ...basic(wrong.clientId, wrong.secret) })).status).toBe(401);
    const written = async () => entries(harness.organizationId, 'oauth_client.refused');
    await expect.poll(async () => (await written()).length).toBe(1);
    const [entry] = await written();
    expect(entry).toMatchObject({
      actor_kind: 'ANONYMOUS',
      actor_id: null,
      target_type: 'OAuthClient',
      target_id: client.id,
      target_label: client.clientId,
      address: '192.0.2.7',
      user_agent: 'an LMS',
    });
    expect(JSON.stringify(entry)).not.toContain(wrong.secret);
  });

  it('that does not exist leaves no trace: nobody could tell whose it is', async () => {
    const count = async () => (await harness.owner.query('SELECT FROM audit_entries')).rowCount;
    const before = await count();
    expect((await post({ client_id: 'nobody', client_secret: 'nothing' })).status).toBe(401);
    // A client that does exist, to know that what came before it has been written.
    const known = await harness.addClient();
    expect((await post(inBody({ ...known, secret: 'x'.repeat(43) }))).status).toBe(401);
    await expect.poll(count).not.toBe(before);
    const { rows } = await harness.owner.query('SELECT FROM audit_entries WHERE target_label = $1', [
      'nobody',
    ]);
    expect(rows).toEqual([]);
  });
});
