import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { User } from '../../src/accounts/statements.ts';
import type { Visitor } from '../accounts/site.ts';
import {
  type AuthorizationSite,
  decide,
  openAuthorizationSite,
  PKCE,
  requestPath,
  responseOf,
} from './authorization-site.ts';
import { inBody, type TestClient } from './harness.ts';
import { REDIRECT_URI } from './people.ts';

let site: AuthorizationSite;
let ada: User;
let visitor: Visitor;

beforeAll(async () => {
  site = await openAuthorizationSite();
  ada = await site.addMember();
  visitor = await site.signedIn(ada);
});
afterAll(() => site.close());

type Tokens = { readonly access: string; readonly refresh: string };

/** The person allows the client, which fetches its tokens. */
async function connect(client: TestClient, by = visitor, scope = 'read'): Promise<Tokens> {
  const path = requestPath(client, { scope });
  const asked = await by.get(path);
  const answer = asked.status === 303 ? asked : await decide(by, path, 'allow');
  const { body } = await site.post('/api/oauth/token', {
    grant_type: 'authorization_code',
    code: responseOf(answer)?.['code'] ?? '',
    redirect_uri: REDIRECT_URI,
    code_verifier: PKCE.verifier,
    ...inBody(client),
  });
  return { access: String(body['access_token']), refresh: String(body['refresh_token']) };
}

/** What a client can still do with its tokens. */
async function holds(client: TestClient, { access, refresh }: Tokens): Promise<readonly unknown[]> {
  const authorization = `Bearer ${access}`;
  const opens = await site.oauth.authenticate({ authorization, url: '/' }).then(
    () => true,
    () => false,
  );
  const form = { grant_type: 'refresh_token', refresh_token: refresh, ...inBody(client) };
  return [opens, (await site.post('/api/oauth/token', form)).status];
}

const APPS = '/account/apps';
const REVOKE = '/account/apps/revoke';

describe('the page of connected apps', () => {
  test('asks for a session', async () => {
    for (const answer of [await site.browse().get(APPS), await site.browse().post(REVOKE, {})]) {
      expect([answer.status, answer.location?.split('?')[0]]).toEqual([303, '/login']);
    }
  });

  test('says what it is for while there is nothing on it, and is linked from the account', async () => {
    const newcomer = await site.signedIn(await site.addMember());
    expect((await newcomer.get(APPS)).text).toContain('No app is connected.');
    expect((await newcomer.get('/account')).text).toContain('href="/account/apps"');
  });

  test('tells what each app may do, since when, and when it was last used (rule 23)', async () => {
    const client = await site.addClient({ name: 'Moodle <3', scopes: ['read', 'write:tasks'] });
    await connect(client, visitor, 'read:quests');
    site.clock.advance(3_600_000);
    await connect(client, visitor, 'read write:tasks');
    const { text, headers } = await visitor.get(APPS);
    for (const words of ['Moodle &lt;3', 'Northfield School', 'See all learning data', 'Start quests']) {
      expect(text).toContain(words);
    }
    // What another scope contains is not told twice.
    expect(text).not.toContain('See quests.');
    expect(text.match(/<time datetime="[^"]*"/g)).toHaveLength(2);
    expect(text).toContain(`Last used <time datetime="${site.clock.now().toISOString()}"`);
    expect(headers.get('content-security-policy')).toContain("form-action 'self';");
    site.clock.advance(-3_600_000);
  });

  test('shows nobody the apps of another', async () => {
    const client = await site.addClient({ name: 'Of Ada alone' });
    await connect(client);
    const other = await site.signedIn(await site.addMember());
    expect((await other.get(APPS)).text).not.toContain('Of Ada alone');
  });
});

describe('disconnecting an app', () => {
  const idOf = async (client: TestClient, user = ada): Promise<string> => {
    const [consent] = await site.sql('SELECT id FROM oauth_consents WHERE client_ref = $1 AND user_id = $2', [
      client.id,
      user.id,
    ]);
    return String(consent?.['id']);
  };
  /** Presses the button of the app. */
  const disconnect = async (client: TestClient, by = visitor, user = ada) =>
    by.send(APPS, REVOKE, { id: await idOf(client, user) });

  test('ends access and refresh tokens of all its authorizations at once, and no others (rule 23)', async () => {
    const [client, kept] = [await site.addClient({ name: 'Blackboard' }), await site.addClient()];
    const grace = await site.addMember();
    const other = await site.signedIn(grace);
    const [first, second] = [await connect(client), await connect(client)];
    const [of, others] = [await connect(kept), await connect(client, other)];
    const answer = await disconnect(client);
    expect([answer.status, answer.location]).toEqual([303, `${APPS}?note=revoked`]);
    expect((await visitor.get(answer.location ?? '')).text).toContain('The app is disconnected.');
    expect(await holds(client, first)).toEqual([false, 400]);
    expect(await holds(client, second)).toEqual([false, 400]);
    expect(await holds(kept, of)).toEqual([true, 200]);
    expect(await holds(client, others)).toEqual([true, 200]);
    expect((await visitor.get(APPS)).text).not.toContain('Blackboard');
  });

  test('takes codes that are on their way along (rule 23)', async () => {
    const client = await site.addClient();
    const answer = await decide(visitor, requestPath(client), 'allow');
    await disconnect(client);
    const { body } = await site.post('/api/oauth/token', {
      grant_type: 'authorization_code',
      code: responseOf(answer)?.['code'] ?? '',
      redirect_uri: REDIRECT_URI,
      code_verifier: PKCE.verifier,
      ...inBody(client),
    });
    expect(body).toMatchObject({ error: 'invalid_grant' });
  });

  test('makes the app ask again', async () => {
    const client = await site.addClient();
    await connect(client);
    await disconnect(client);
    expect((await visitor.get(requestPath(client))).status).toBe(200);
  });

  test('is recorded in the log of the organization', async () => {
    const client = await site.addClient({ name: 'Schoology' });
    await connect(client);
    await disconnect(client);
    const entries = await site.sql(
      `SELECT * FROM audit_entries WHERE action = 'oauth_consent.revoked' AND target_id = $1`,
      [client.id],
    );
    expect(entries).toMatchObject([
      {
        organization_id: site.school,
        actor_kind: 'USER',
        actor_id: ada.id,
        target_label: 'Schoology',
        changes: { scopes: { from: ['read'], to: null } },
      },
    ]);
  });

  test('needs the token of the session, and one’s own app (rule 19)', async () => {
    const client = await site.addClient();
    const grace = await site.addMember();
    const other = await site.signedIn(grace);
    await connect(client, other);
    await connect(client);
    const id = await idOf(client, grace);
    expect((await other.post(REVOKE, { id })).status).toBe(403);
    expect((await visitor.send(APPS, REVOKE, { id })).status).toBe(404);
    expect((await visitor.send(APPS, REVOKE, { id: 'x' })).status).toBe(404);
    expect(await idOf(client, grace)).toBe(id);
  });
});
