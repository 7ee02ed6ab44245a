/**
 * Which IP addresses the server may talk to on behalf of a tenant (webhooks rules 27, 28 and 32).
 * Pure; what is not known to be public is closed.
 */
import { type Cidr, isIn, parseAddress, parseCidrs } from '../ip-range.ts';

export type AddressClass = 'public' | 'allowed' | 'blocked';

/** Of all IPv4 addresses these are closed (IANA IPv4 Special-Purpose Address Registry, multicast, reserved). */
const CLOSED_IPV4 = parseCidrs(`
  0.0.0.0/8       10.0.0.0/8      100.64.0.0/10   127.0.0.0/8     169.254.0.0/16
  172.16.0.0/12   192.0.0.0/24    192.0.2.0/24    192.88.99.0/24  192.168.0.0/16
  198.18.0.0/15   198.51.100.0/24 203.0.113.0/24  224.0.0.0/4     240.0.0.0/4
`);

/** Of all IPv6 addresses only these are open (global unicast) … */
const OPEN_IPV6 = parseCidrs('2000::/3');

/** … less these: IETF protocol assignments with Teredo, documentation, 6to4, documentation again. */
const CLOSED_IPV6 = parseCidrs('2001::/23 2001:db8::/32 2002::/16 3fff::/20');

/** Where clouds hand credentials to whoever asks from inside. No allow-list opens them. */
const METADATA = parseCidrs(`
  169.254.169.254 169.254.170.2 169.254.170.23 169.254.42.42 169.254.0.23
  100.100.100.200 192.0.0.192 168.63.129.16
  fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 fe80::a9fe:a9fe
`);

/**
 * Says whether an address is open to everybody, opened by the operator (`allow`), or closed.
 * Anything that is not one plain IPv4 or IPv6 address, a zone id included, is closed.
 */
export function classifyAddress(address: string, allow: readonly Cidr[]): AddressClass {
  const bytes = parseAddress(address);
  if (bytes === undefined || isIn(METADATA, bytes)) return 'blocked';
  if (isPublic(bytes)) return 'public';
  if (!isIn(allow, bytes)) return 'blocked';
  // An IPv6 range may contain metadata addresses in disguise: mapped, translated or tunnelled IPv4.
  return embeddedIPv4(bytes).some((inner) => isIn(METADATA, inner)) ? 'blocked' : 'allowed';
}

function isPublic(bytes: readonly number[]): boolean {
  if (bytes.length === 4) return !isIn(CLOSED_IPV4, bytes);
  return isIn(OPEN_IPV6, bytes) && !isIn(CLOSED_IPV6, bytes);
}

/** Every IPv4 address that an IPv6 address may stand for, whatever its prefix: too many here are only too careful. */
function embeddedIPv4(bytes: readonly number[]): readonly (readonly number[])[] {
  if (bytes.length === 4) return [];
  const last = bytes.slice(12);
  return [
    // Mapped, compatible, SIIT, NAT64 with a /96 prefix (RFC 6052), ISATAP
    last,
    // Teredo keeps the client's address inverted (RFC 4380 4)
    last.map((byte) => byte ^ 0xff),
    // 6to4 (RFC 3056 2)
    bytes.slice(2, 6),
    // NAT64 with the /48 prefix of RFC 8215: the ninth byte stays zero (RFC 6052 2.2)
    [...bytes.slice(6, 8), ...bytes.slice(9, 11)],
  ];
}
