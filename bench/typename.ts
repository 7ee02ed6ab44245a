/** The least that GraphQL can be asked: what the product's limits, sessions and checks cost beside bare Yoga. */
import { type Outcome, verifyWork } from './support/benchmark.ts';
import { measureInTurn, middleOf, type Round } from './support/in-turn.ts';
import { type Optio, startOptio } from './support/optio.ts';
import { type Peer, startPeer } from './support/peer-process.ts';
import { requestRate } from './support/request-loop.ts';

const REQUESTS = 5_000;
const CONNECTIONS = 16;
const ROUNDS = 5;
// A server runs for days: what it does has long been compiled.
const WARM_UPS = 3;
const GOAL = 0.8;
const BODY = JSON.stringify({ query: '{ __typename }' });
const DATA = '"data":{"__typename":"Query"}';

export async function run(report: (line: string) => void): Promise<Outcome> {
  const optio = await startOptio({ environment: { GRAPHQL_POINTS_PER_MINUTE: '1000000000' } });
  const peer = await startPeer('yoga');
  try {
    const anonymous = await measure(optio, peer, {}, report);
    report('with a token');
    const withToken = await measure(optio, peer, { authorization: `Bearer ${optio.client.token}` }, report);
    return toOutcome(anonymous, withToken);
  } finally {
    await peer.stop();
    await optio.stop();
  }
}

function measure(
  optio: Optio,
  peer: Peer,
  headers: Readonly<Record<string, string>>,
  report: (line: string) => void,
): Promise<readonly Round[]> {
  const rate = (origin: string) =>
    requestRate({
      origin,
      path: '/graphql',
      headers,
      body: BODY,
      connections: CONNECTIONS,
      requests: REQUESTS,
      verify: (text) => verifyWork('the answer', text.includes(DATA), true),
    });
  return measureInTurn({
    product: () => rate(optio.url),
    peer: () => rate(peer.origin),
    rounds: ROUNDS,
    warmUps: WARM_UPS,
    report,
  });
}

function toOutcome(anonymous: readonly Round[], withToken: readonly Round[]): Outcome {
  const [without, signed] = [middleOf(anonymous), middleOf(withToken)];
  return {
    what: `${REQUESTS} times { __typename } over ${CONNECTIONS} connections, in turn with bare Yoga, ${ROUNDS} times; medians.`,
    table: {
      columns: ['', 'per second', 'bare Yoga', 'ratio'],
      rows: [
        ['without a token', without.product, without.peer, without.ratio],
        ['with a token', signed.product, signed.peer, signed.ratio],
      ],
    },
    goals: [
      { goal: `{ __typename } at ${GOAL} of bare Yoga: ${without.ratio}`, isMet: without.ratio >= GOAL },
    ],
    measurements: { requests: REQUESTS, connections: CONNECTIONS, anonymous, withToken },
  };
}
