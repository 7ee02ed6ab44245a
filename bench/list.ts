/** A page of deliveries with subscription and attempts, beside PostGraphile on the same tables. */
import { provisionLogins } from '../src/platform/database-roles.ts';
import { MASTER_KEY } from '../test/support/server.ts';
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { measureInTurn, middleOf, type Round } from './support/in-turn.ts';
import { type Optio, startOptio } from './support/optio.ts';
import { type Peer, startPeer } from './support/peer-process.ts';
import { requestRate } from './support/request-loop.ts';
import { storeDeliveries } from './support/stored-deliveries.ts';
import { subscribePath } from './support/subscriptions.ts';

const DELIVERIES = 100_000;
const SUBSCRIPTIONS = 20;
const PAGE = 50;
const REQUESTS = 500;
const CONNECTIONS = 8;
const ROUNDS = 5;
const GOAL = 1;

const OURS = `{
  organization {
    deliveries(first: ${PAGE}) {
      nodes {
        id eventType status attemptCount completedAt lastResponseCode
        subscription { id targetUrl status }
        attempts { number startedAt durationMs responseCode error }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}`;
const THEIRS = `{
  allDeliveries(first: ${PAGE}, orderBy: PRIMARY_KEY_DESC) {
    nodes {
      nodeId eventType status attemptCount completedAt lastResponseCode
      subscription: webhookSubscriptionByOrganizationIdAndSubscriptionId { nodeId targetUrl status }
      attempts: deliveryAttemptsByOrganizationIdAndDeliveryIdList(first: 20) { number startedAt totalMs responseCode error }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

export async function run(report: (line: string) => void): Promise<Outcome> {
  const optio = await startOptio({ environment: { GRAPHQL_POINTS_PER_MINUTE: '1000000000' } });
  const organizationId = await fill(optio);
  report(`${DELIVERIES} deliveries are stored`);
  const peer = await startPeer('postgraphile', {
    TENANT_URL: await tenantUrl(optio),
    ORGANIZATION_ID: organizationId,
  });
  try {
    return toOutcome(await measure(optio, peer, report));
  } finally {
    await peer.stop();
    await optio.stop();
  }
}

async function fill({ client, database }: Optio): Promise<string> {
  for (let number = 0; number < SUBSCRIPTIONS; number += 1) {
    const path = `/${number}`;
    await subscribePath(client, {
      origin: 'http://127.0.0.1:9999',
      path,
      eventType: '*',
      maxConcurrency: 10,
    });
  }
  await storeDeliveries(database, DELIVERIES);
  const { rows } = await database.query<{ id: string }>(
    'SELECT organization_id AS id FROM webhook_subscriptions LIMIT 1',
  );
  return rows[0]?.id ?? '';
}

/** The login that the product's own requests use. */
async function tenantUrl({ databaseUrl }: Optio): Promise<string> {
  const logins = await provisionLogins({ ownerUrl: databaseUrl, key: Buffer.from(MASTER_KEY, 'base64') });
  return logins.tenantUrl;
}

function measure(optio: Optio, peer: Peer, report: (line: string) => void): Promise<readonly Round[]> {
  const rate = (origin: string, query: string, headers: Readonly<Record<string, string>>) =>
    requestRate({
      origin,
      path: '/graphql',
      headers,
      body: JSON.stringify({ query }),
      connections: CONNECTIONS,
      requests: REQUESTS,
      verify: verifyPage,
    });
  return measureInTurn({
    product: () => rate(optio.url, OURS, { authorization: `Bearer ${optio.client.token}` }),
    peer: () => rate(peer.origin, THEIRS, {}),
    rounds: ROUNDS,
    report,
  });
}

function verifyPage(text: string): void {
  const of = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
  verifyWork(
    'a page (deliveries, subscriptions, attempts)',
    [of(/"attemptCount":1/g), of(/"targetUrl":"http/g), of(/"number":1,/g)],
    [PAGE, PAGE, PAGE],
  );
}

function toOutcome(rounds: readonly Round[]): Outcome {
  const { product, peer, ratio } = middleOf(rounds);
  return {
    what:
      `A page of ${PAGE} of ${DELIVERIES} deliveries, newest first, each with its subscription and its attempts, over ${CONNECTIONS} ` +
      `connections; both under row-level security. The product checks a token and reckons the cost besides. In turn, ${ROUNDS} times; medians.`,
    table: {
      columns: ['', 'per second', 'ratio'],
      rows: [
        ['PostGraphile 5', peer, 1],
        ['the product', product, ratio],
      ],
    },
    goals: [{ goal: `at least ${GOAL} of PostGraphile: ${ratio}`, isMet: ratio >= GOAL }],
    measurements: {
      deliveries: DELIVERIES,
      page: PAGE,
      requests: REQUESTS,
      connections: CONNECTIONS,
      rounds,
    },
  };
}
