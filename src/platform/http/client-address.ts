/**
 * Where a request comes from: the other end of its socket or, behind proxies that the operator trusts, what they say
 * in X-Forwarded-For. Each proxy appends the address it was called from, so the header is read from the right, and only
 * as far as trusted proxies wrote it: what a client puts there itself is never reached (oauth rule 58).
 */
import ipaddr from 'ipaddr.js';
import { createBoundedMemory } from '../../lib/bounded-memory.ts';
import { type Cidr, isIn, parseAddress } from '../ip-range.ts';

/** What stands for an address that nobody knows, as for a request by a Unix socket. */
export const UNKNOWN_ADDRESS = 'unknown';

export type AddressEvidence = {
  /** The other end of the socket, as Node spells it. */
  readonly peerAddress: string | undefined;
  /** The X-Forwarded-For header; several of them joined by commas, in their order. */
  readonly forwardedFor: string | null | undefined;
};

/** The address in one spelling: IPv4 also where it came mapped into IPv6, IPv6 by RFC 5952, no port, no zone. */
export function findClientAddress(
  trustedProxies: readonly Cidr[],
  { peerAddress, forwardedFor }: AddressEvidence,
): string {
  let address = parsePeer(peerAddress ?? '');
  const hops = forwardedFor?.split(',') ?? [];
  while (address !== undefined && hops.length > 0 && isIn(trustedProxies, address.bytes)) {
    const next = parse(hops.pop() ?? '');
    // Where a proxy says nothing that can be read, it is itself the last that is known.
    if (next === undefined) break;
    address = next;
  }
  return address?.text ?? UNKNOWN_ADDRESS;
}

/** What one client can choose its addresses from: of IPv6 the network of 64 bits (RFC 4291 2.5.4), of IPv4 the address. */
export function addressBlock(address: string): string {
  const bytes = parseAddress(address);
  return bytes?.length === 16 ? `${Buffer.from(bytes.slice(0, 8)).toString('hex')}::/64` : address;
}

type Address = { readonly text: string; readonly bytes: readonly number[] };

const peers = createBoundedMemory<Address>(1_000);

/** The other end of a socket asks again and again. */
function parsePeer(written: string): Address | undefined {
  const known = peers.get(written);
  if (known !== undefined) return known;
  const address = parse(written);
  if (address !== undefined) peers.set(written, address);
  return address;
}

/** `192.0.2.7`, `192.0.2.7:8080`, `2001:db8::1`, `[2001:db8::1]:443`, `::ffff:192.0.2.7`, `fe80::1%eth0`. */
function parse(written: string): Address | undefined {
  const [, bracketed, ipv4, bare] = SPELLINGS.exec(written.trim()) ?? [];
  const spelled = (bracketed ?? ipv4 ?? bare ?? '').replace(/%.*$/, '');
  if (parseAddress(spelled) === undefined) return undefined;
  const address = ipaddr.process(spelled);
  return { text: address.toString(), bytes: address.toByteArray() };
}

const SPELLINGS = /^(?:\[([^\]]*)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5}|(.*))$/;
