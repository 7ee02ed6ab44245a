/** A page of deliveries with subscription and attempts, beside PostGraphile on the same tables. */
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { measureInTurn, middleOf, type Round } from './support/in-turn.ts';
import { loginsOf, type Optio, organizationOf, startOptio } from './support/optio.ts';
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
// A server runs for days: what it does has long been compiled.
const WARM_UPS = 3;
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
      id eventType status attemptCount completedAt lastResponseCode
      subscription: webhookSubscriptionByOrganizationIdAndSubscriptionId { id targetUrl status }
      attempts: deliveryAttemptsByOrganizationIdAndDeliveryId(first: 20) { nodes { number startedAt totalMs responseCode error } }
    }
    pageInfo { hasNextPage endCursor }
  }
}`;

export async function run(report: (line: string) => void): Promise<Outcome> {
  const optio = await startOptio({ environment: { GRAPHQL_POINTS_PER_MINUTE: '1000000000' } });
  await fill(optio);
  report(`${DELIVERIES} deliveries are stored`);
  const peer = await startPeer('postgraphile', {
    // The login that the product's own requests use.
    TENANT_URL: (await loginsOf(optio)).tenantUrl,
    ORGANIZATION_ID: await organizationOf(optio),
  });
  try {
    return toOutcome(await measure(optio, peer, report));
  } finally {
    await peer.stop();
    await optio.stop();
  }
}

async function fill({ client, database }: Optio): Promise<void> {
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
    warmUps: WARM_UPS,
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
