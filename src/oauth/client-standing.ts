/**
 * Whether a client may start a flow, or go on with one: the one place that decides (rules 16 and 40). The statements that
 * issue something ask the database the same once more.
 */
import type { Client } from './client.ts';

export type FlowRefusal = {
  readonly because: 'status' | 'grant';
  /** For people: characters that an error_description may have (RFC 6749 5.2). */
  readonly message: string;
};

const STATUSES = {
  PENDING: 'waits for approval',
  REJECTED: 'was rejected',
  SUSPENDED: 'is suspended',
} as const;

/** Why the client cannot use the grant (a grant_type of RFC 6749); undefined: it can. */
export function findFlowRefusal(
  { status, grantTypes }: Pick<Client, 'status' | 'grantTypes'>,
  grantType: string,
): FlowRefusal | undefined {
  const stopped = findStatusRefusal(status);
  if (stopped !== undefined) return stopped;
  if (grantTypes.includes(grantType)) return undefined;
  return { because: 'grant', message: `The client is not registered for the grant ${grantType}.` };
}

/** Why a client of this status can do nothing at all; undefined: it can. */
export function findStatusRefusal(status: Client['status']): FlowRefusal | undefined {
  if (status === 'APPROVED') return undefined;
  return { because: 'status', message: `The client ${STATUSES[status]}.` };
}
