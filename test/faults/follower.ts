/**
 * A subscriber of the live stream that is cut off again and again, comes back with the last cursor it saw, to whatever
 * server there is, and remembers which lines of the update log it saw, in the order in which they came.
 */
import { request } from 'node:http';
import { WebSocket } from 'ws';

export type Follower = {
  /** Numbers of the lines in the log, as the cursors have them. */
  readonly seen: readonly number[];
  /** What no stream should say: gaps, and errors that are none of a server that stops. */
  readonly complaints: readonly string[];
  readonly connections: () => number;
  /** Resolves when it is live for the first time. */
  readonly ready: Promise<void>;
  /** Breaks its connection; it comes back by itself. */
  readonly cutOff: () => void;
  /** Reads nothing for a while, but stays connected. */
  readonly dawdle: (milliseconds: number) => void;
  readonly stop: () => void;
};

export type Transport = 'websocket' | 'sse';

export type FollowerOptions = {
  /** Where to connect next. */
  readonly nextUrl: () => string;
  readonly token: string;
  readonly transport: Transport;
  /** Milliseconds before it connects again. */
  readonly pauseMs: () => number;
};

type Connection = { readonly destroy: () => void; readonly pause: () => void; readonly resume: () => void };
type Handlers = { readonly onPayload: (payload: string) => void; readonly onEnd: () => void };
type Target = { readonly url: string; readonly token: string; readonly after: string | undefined };

const QUERY = `subscription ($after: Cursor) { deliveryUpdates(after: $after) {
  __typename ... on DeliveryUpdated { cursor } ... on StreamReady { cursor } ... on StreamGap { reason } } }`;

/** Starts to follow. */
export function follow({ nextUrl, token, transport, pauseMs }: FollowerOptions): Follower {
  const seen: number[] = [];
  const complaints: string[] = [];
  const ready = Promise.withResolvers<void>();
  let cursor: string | undefined;
  let connection: Connection | undefined;
  let count = 0;
  let stopped = false;

  const take = (payload: string): void => {
    const found = /"__typename":"(\w+)"(?:,"cursor":"([\w-]+)")?/.exec(payload);
    const [, type, at = ''] = found ?? [];
    if (type === 'DeliveryUpdated') seen.push(lineOf(at));
    else if (type === 'StreamReady') ready.resolve();
    else if (!payload.includes('"code":"UNAVAILABLE"')) complaints.push(payload);
    if (at !== '') cursor = at;
  };
  const connect = (): void => {
    if (stopped) return;
    count += 1;
    // What still comes out of a connection that was given up does not count: it would come again.
    const mine: { connection?: Connection; isOver: boolean } = { isOver: false };
    const onEnd = (): void => {
      if (mine.isOver) return;
      mine.isOver = true;
      mine.connection?.destroy();
      setTimeout(connect, pauseMs());
    };
    const onPayload = (payload: string): void => {
      if (!mine.isOver) take(payload);
    };
    mine.connection = CONNECT[transport]({ url: nextUrl(), token, after: cursor }, { onPayload, onEnd });
    connection = { ...mine.connection, destroy: onEnd };
  };
  connect();
  return {
    seen,
    complaints,
    connections: () => count,
    ready: ready.promise,
    cutOff: () => connection?.destroy(),
    dawdle: (milliseconds) => {
      const paused = connection;
      paused?.pause();
      setTimeout(() => paused?.resume(), milliseconds);
    },
    stop: () => {
      stopped = true;
      connection?.destroy();
    },
  };
}

/** The number of the line that a cursor stands for (update-cursor.ts). */
function lineOf(cursor: string): number {
  return Number(Buffer.from(cursor, 'base64url').toString().split('.')[3]);
}

const CONNECT = { websocket: connectByWebSocket, sse: connectBySse } as const;

function connectByWebSocket({ url, token, after }: Target, { onPayload, onEnd }: Handlers): Connection {
  const socket = new WebSocket(`${url.replace('http:', 'ws:')}/graphql`, 'graphql-transport-ws');
  const say = (message: object): void => socket.send(JSON.stringify(message));
  socket.on('open', () => say({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } }));
  socket.on('message', (data) => {
    const text = (data as Buffer).toString(); // As ws hands out messages unless it is told otherwise.
    if (text.includes('"type":"connection_ack"'))
      say({ id: '1', type: 'subscribe', payload: { query: QUERY, variables: { after } } });
    else if (text.includes('"type":"next"')) onPayload(text);
    else if (text.includes('"type":"error"')) {
      onPayload(text);
      onEnd();
    } else if (text.includes('"type":"complete"')) onEnd();
  });
  socket.on('error', onEnd);
  socket.on('close', onEnd);
  return {
    destroy: () => socket.terminate(),
    pause: () => void (socket.readyState === socket.OPEN && socket.pause()),
    resume: () => void (socket.readyState === socket.OPEN && socket.resume()),
  };
}

function connectBySse({ url, token, after }: Target, { onPayload, onEnd }: Handlers): Connection {
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'text/event-stream',
    'content-type': 'application/json',
  };
  const asked = request(`${url}/graphql`, { method: 'POST', headers, agent: false }, (response) => {
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const events = `${rest}${chunk}`.split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events)
        if (event.includes('"data"') || event.includes('"errors"')) onPayload(event);
    });
    response.on('close', onEnd);
    response.on('error', onEnd);
  });
  asked.on('error', onEnd);
  asked.end(JSON.stringify({ query: QUERY, variables: { after } }));
  return {
    destroy: () => asked.destroy(),
    pause: () => asked.socket?.pause(),
    resume: () => asked.socket?.resume(),
  };
}
