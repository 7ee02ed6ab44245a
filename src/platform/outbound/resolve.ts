/** From a host to the addresses that may be dialled: every one that it resolves to is checked (webhooks rules 27 to 29). */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Cidr } from '../ip-range.ts';
import { classifyAddress } from './address.ts';
import { blockedAddress, dnsFailure } from './failure.ts';

/** Gives all addresses of a name, in order of preference; rejects when there is none. */
export type Resolve = (hostname: string) => Promise<readonly string[]>;

/** The operating system's resolver, which occupies a thread of the process: see resolver.ts. */
export const systemResolve: Resolve = async (hostname) => {
  const answers = await lookup(hostname, { all: true, order: 'verbatim' });
  return answers.map(({ address }) => address);
};

/** Lets questions for the same name that are asked at the same time share one answer; nothing is remembered after it. */
export function shareLookups(resolve: Resolve): Resolve {
  const pending = new Map<string, Promise<readonly string[]>>();
  return (hostname) => {
    const shared = pending.get(hostname);
    if (shared !== undefined) return shared;
    const answer = resolve(hostname).finally(() => pending.delete(hostname));
    pending.set(hostname, answer);
    return answer;
  };
}

/**
 * The addresses of a host, all of them open. Throws an OutboundFailure: `dns`, or `blocked_address`
 * when even one is closed, since whoever mixes closed addresses among open ones means harm.
 */
export async function resolveOpen(
  hostname: string,
  resolve: Resolve,
  allow: readonly Cidr[],
): Promise<readonly string[]> {
  const addresses = isIP(hostname) === 0 ? await ask(hostname, resolve) : [hostname];
  if (addresses.some((address) => classifyAddress(address, allow) === 'blocked')) throw blockedAddress();
  return addresses;
}

async function ask(hostname: string, resolve: Resolve): Promise<readonly string[]> {
  const addresses = await resolve(hostname).catch((error: unknown) => {
    throw dnsFailure(hostname, error);
  });
  if (addresses.length === 0) throw dnsFailure(hostname);
  return addresses;
}
