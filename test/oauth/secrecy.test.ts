/** Codes, tokens, secrets and passwords, through everything that a client can do with them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, basic, GRANT, type Harness, inBody, startHarness } from './harness.ts';
import { addPerson, addUserClient, allow, exchange, newPkce, refresh, tokensOf } from './people.ts';

const lines: string[] = [];
let harness: Harness;

beforeAll(async () => {
  harness = await startHarness({
    trustedProxies: '127.0.0.1',
    limits: { requestsPerMinute: 1_000, failuresPerMinute: 2 },
    onLog: (line) => void lines.push(line),
  });
});
afterAll(() => harness.close());

describe('Codes, tokens, secrets and verifiers', () => {
  test('are in no line of the log, no error and no entry of the audit log (rule 56)', async () => {
    const [client, person, machine] = [
      await addUserClient(harness),
      await addPerson(harness),
      await harness.addClient(),
    ];
    const { verifier, challenge } = newPkce();
    const code = await allow(harness, { client, person, challenge });
    const proof = { code_verifier: verifier };
    const refused: Answer[] = [];
    const wrongSecret = `${client.secret.slice(1)}x`;

    refused.push(await exchange(harness, client, code, { code_verifier: newPkce().verifier }));
    refused.push(await exchange(harness, client, code, { ...proof, client_secret: wrongSecret }));
    const first = tokensOf(await exchange(harness, client, code, proof));
    const second = tokensOf(await refresh(harness, client, first.refresh));
    refused.push(await refresh(harness, client, second.refresh, { scope: 'everything' }));
    for (let count = 0; count < 4; count++)
      refused.push(await harness.post(GRANT, basic(machine.clientId, wrongSecret)));
    for (const path of ['/api/oauth/revoke', '/api/oauth/introspect']) {
      refused.push(
        await harness.postTo(path, { token: second.refresh, ...inBody(client), client_secret: wrongSecret }),
      );
      refused.push(await harness.postTo(`${path}?token=${second.refresh}`, inBody(client)));
    }
    refused.push(await harness.callResource(`/viewer?access_token=${first.access}`));
    refused.push(await harness.callResource('/viewer', { authorization: `Bearer ${first.access}x` }));
    harness.clock.advance(10_001);
    refused.push(await exchange(harness, client, code, proof));
    refused.push(await refresh(harness, client, first.refresh));
    expect(refused.filter(({ status }) => status < 400)).toEqual([]);
    expect(refused.map(({ status }) => status)).toContain(429);

    const audit = await harness.owner.query('SELECT * FROM audit_entries');
    expect(lines.join('')).toContain('/api/oauth/token');
    const written = [
      ...lines,
      JSON.stringify(refused),
      JSON.stringify(audit.rows),
      JSON.stringify(harness.reuses),
    ].join('\n');
    const secrets = { code, verifier, client: client.secret, machine: machine.secret, wrongSecret, ...first };
    const found = Object.entries({ ...secrets, next: second.refresh, nextAccess: second.access }).filter(
      ([, secret]) => written.includes(secret),
    );
    expect(found.map(([name]) => name)).toEqual([]);
  });
});
