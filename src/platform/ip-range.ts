/** IP addresses and ranges of them, as bytes, in their standard forms only. Pure. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A range of addresses: its first address in network byte order (4 or 16 bytes) and the length of its prefix in bits. */
export type Cidr = { readonly bytes: readonly number[]; readonly prefixLength: number };

/**
 * Reads ranges separated by commas or white space, such as `10.0.0.0/8, fd00::/8`; a bare address is a range of one.
 * Throws an error that names every entry that is not a range.
 */
export function parseCidrs(text: string): readonly Cidr[] {
  const entries = text.split(/[\s,]+/).filter((entry) => entry !== '');
  const faults = entries.filter((entry) => parseCidr(entry) === undefined);
  if (faults.length > 0) {
    const names = faults.map((fault) => JSON.stringify(fault)).join(', ');
    throw new Error(
      `Expected address ranges such as 10.0.0.0/8 or fd00::/8, with no bits beyond the prefix, not ${names}.`,
    );
  }
  return entries.flatMap((entry) => parseCidr(entry) ?? []);
}

/**
 * The bytes of an address in its standard form, 4 or 16 of them; undefined for anything else, a zone id included. `isIP`
 * keeps out the octal, hex and short forms that ipaddr.js reads.
 */
export function parseAddress(text: string): readonly number[] | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined;
  const parsed = ipaddr.parse(text);
  // ipaddr.js reads the IPv4-compatible ::a.b.c.d as the IPv4-mapped ::ffff:a.b.c.d; nothing here tells them apart.
  return parsed.toByteArray();
}

/** Whether one of the ranges holds the address. */
export function isIn(ranges: readonly Cidr[], bytes: readonly number[]): boolean {
  return ranges.some((range) => contains(range, bytes));
}

function parseCidr(text: string): Cidr | undefined {
  const [address = '', length, ...rest] = text.split('/');
  const bytes = parseAddress(address);
  if (bytes === undefined || rest.length > 0) return undefined;
  const bits = bytes.length * 8;
  const prefixLength = length === undefined ? bits : Number(length);
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || prefixLength > bits)) return undefined;
  return hasBitsBeyond(bytes, prefixLength) ? undefined : { bytes, prefixLength };
}

function contains({ bytes: network, prefixLength }: Cidr, bytes: readonly number[]): boolean {
  return (
    network.length === bytes.length &&
    network.every((byte, index) => {
      const mask = byteMask(prefixLength, index);
      return (byte & mask) === ((bytes[index] ?? 0) & mask);
    })
  );
}

function hasBitsBeyond(bytes: readonly number[], prefixLength: number): boolean {
  return bytes.some((byte, index) => (byte & ~byteMask(prefixLength, index)) !== 0);
}

/** Which bits of the byte at `index` belong to the prefix. */
function byteMask(prefixLength: number, index: number): number {
  const bits = Math.min(Math.max(prefixLength - index * 8, 0), 8);
  return (0xff << (8 - bits)) & 0xff;
}
