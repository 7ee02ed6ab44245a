/** An LMS backend as a test plays it: gets a token, calls REST and GraphQL. */
import { CLIENT, type Credentials, type RunningServer } from './server.ts';

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: unknown };

export type Client = {
  readonly token: string;
  readonly get: (path: string) => Promise<Answer>;
  readonly post: (path: string, body: unknown) => Promise<Answer>;
  readonly put: (path: string, body: unknown) => Promise<Answer>;
  readonly delete: (path: string) => Promise<Answer>;
  readonly graphql: (query: string, variables?: object) => Promise<Answer>;
};

export type Subscription = { readonly id: string; readonly secret: string; readonly organization_id: string };

/** Gets a token by client_credentials (RFC 6749 4.4). */
export async function connectClient({ url }: Pick<RunningServer, 'url'>, client = CLIENT): Promise<Client> {
  return connectThroughBalancer([url], client);
}

/** A client whose requests go to each of the servers in turn, as behind a load balancer. */
export async function connectThroughBalancer(
  [first, ...others]: readonly [string, ...string[]],
  client = CLIENT,
): Promise<Client> {
  const token = await requestToken(first, client);
  const urls = [...others, first];
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const url = urls.shift() ?? first;
    urls.push(url);
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
  };
  return {
    token,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    put: (path, body) => call('PUT', path, body),
    delete: (path) => call('DELETE', path),
    graphql: (query, variables) => call('POST', '/graphql', { query, variables }),
  };
}

/** Subscribes a URL to all event types; the secret comes with it. */
export async function subscribe(client: Client, targetUrl: string): Promise<Subscription> {
  const { status, body } = await client.post('/api/webhooks/subscriptions', {
    target_url: targetUrl,
    event_types: '*',
  });
  if (status !== 201) throw new Error(`Subscribing answered ${status}: ${JSON.stringify(body)}`);
  return body as Subscription; // As REST answers 201.
}

/** Emits `count` badges in one batch and answers the ids of the events. */
export async function emitBadges(client: Client, count: number, first = 0): Promise<readonly string[]> {
  const events = Array.from({ length: count }, (_, index) => badgeEarned(first + index));
  const { status, body } = await client.post('/api/events', { events });
  if (status !== 202) throw new Error(`Emitting answered ${status}: ${JSON.stringify(body)}`);
  return (body as { events: { id: string }[] }).events.map(({ id }) => id); // As REST answers 202.
}

export type LoggedDelivery = {
  readonly id: string;
  readonly event_id: string;
  readonly status: string;
  readonly attempt_count: number;
};

/** The whole delivery log, page by page. */
export async function listDeliveries(client: Client): Promise<readonly LoggedDelivery[]> {
  const deliveries: LoggedDelivery[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const { body } = await client.get(
      `/api/webhooks/deliveries?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    const page = body as { data: LoggedDelivery[]; next_cursor: string | null }; // As REST answers 200.
    deliveries.push(...page.data);
    cursor = page.next_cursor;
  }
  return deliveries;
}

/** How many deliveries there are, of a status or in all. */
export async function countDeliveries(client: Client, status?: string): Promise<number> {
  const filter = status === undefined ? '{}' : `{ statuses: [${status}] }`;
  const { body } = await client.graphql(
    `{ organization { deliveries(filter: ${filter}) { totalCount { value } } } }`,
  );
  // What the document asks for.
  const { data } = body as { data: { organization: { deliveries: { totalCount: { value: number } } } } };
  return data.organization.deliveries.totalCount.value;
}

/** An event as REST takes it. */
export function badgeEarned(number = 0) {
  return {
    event: 'badge.earned',
    data: {
      user_id: `usr_${number}`,
      badge_id: 'bdg_naturalist',
      badge_name: 'Naturalist',
      earned_at: '2026-11-23T09:30:00Z',
    },
  };
}

async function requestToken(url: string, { id, secret }: Credentials): Promise<string> {
  const response = await fetch(`${url}/api/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  });
  if (response.status !== 200) throw new Error(`No token: ${response.status} ${await response.text()}`);
  const { access_token: token } = (await response.json()) as { access_token: string }; // RFC 6749 5.1.
  return token;
}
