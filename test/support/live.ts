/** The two ways to watch deliveries live, each through the client library that people use for it. */
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';

export type LiveItem = {
  readonly __typename: 'DeliveryUpdated' | 'StreamReady' | 'StreamGap';
  readonly cursor: string;
  readonly deliveryId?: string;
  readonly status?: string;
  readonly version?: number;
};

export type LiveStream = {
  /** Answers the next item; throws when the stream ended. */
  readonly next: () => Promise<LiveItem>;
  readonly close: () => Promise<void>;
};

export type Watched = { readonly url: string; readonly token: string; readonly after?: string };

const DOCUMENT = `
  subscription Watch($after: Cursor) {
    deliveryUpdates(after: $after) {
      __typename
      ... on DeliveryUpdated { cursor deliveryId status version }
      ... on StreamReady { cursor }
      ... on StreamGap { cursor: resumeFrom }
    }
  }`;

/** Watches over SSE (graphql-sse, distinct connections). */
export function watchBySse({ url, token, after }: Watched): LiveStream {
  const headers = { authorization: `Bearer ${token}` };
  const client = createSseClient({ url: `${url}/graphql`, headers, retryAttempts: 0 });
  return read(client.iterate(operation(after)), () => client.dispose());
}

/** Watches over WebSocket (graphql-transport-ws). */
export function watchByWebSocket({ url, token, after }: Watched): LiveStream {
  const client = createWebSocketClient({
    url: `${url.replace('http:', 'ws:')}/graphql`,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
  return read(client.iterate(operation(after)), () => client.dispose());
}

function operation(after: string | undefined) {
  return { query: DOCUMENT, variables: { after } };
}

function read(
  results: AsyncIterableIterator<{ data?: unknown; errors?: unknown }>,
  dispose: () => void | Promise<void>,
): LiveStream {
  return {
    next: async () => {
      const { done, value } = await results.next();
      if (done === true) throw new Error('The stream has ended.');
      if (value.errors !== undefined) throw new Error(`The stream failed: ${JSON.stringify(value.errors)}`);
      return (value.data as { deliveryUpdates: LiveItem }).deliveryUpdates; // What the document asks for.
    },
    close: async () => {
      await results.return?.();
      await dispose();
    },
  };
}
