/** The address at the other end of the connection that a request came by. */
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';
import type { HttpEnv } from './env.ts';

/** Null when the request came by no socket, or its socket is closed already. */
export function peerAddress(c: Context<HttpEnv>): string | null {
  // The server hands the socket over as the environment of the request; a test may hand over nothing.
  const hasSocket = typeof c.env === 'object' && c.env !== null && 'incoming' in c.env;
  return hasSocket ? (getConnInfo(c).remote.address ?? null) : null;
}
