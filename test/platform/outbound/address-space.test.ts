/** The whole address space against an independent reading of rules 27, 28 and 32: numbers and prefixes, nothing shared. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import { classifyAddress } from '../../../src/platform/outbound/address.ts';

type Range = { readonly base: bigint; readonly length: number; readonly bits: 32 | 128 };

const RUNS = { numRuns: 3_000 };
const METADATA_IPV4 = ['169.254.169.254', '169.254.170.2', '100.100.100.200', '192.0.0.192', '168.63.129.16'];

const CLOSED_IPV4 = ranges(
  32,
  `0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
   192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4`,
);
const OPEN_IPV6 = ranges(128, '2000::/3');
const CLOSED_IPV6 = ranges(128, '2001::/23 2001:db8::/32 2002::/16 3fff::/20');

function ranges(bits: 32 | 128, text: string): readonly Range[] {
  return text.split(/\s+/).map((entry) => {
    const [address = '', length] = entry.split('/');
    return { base: bits === 32 ? numberOf4(address) : numberOf6(address), length: Number(length), bits };
  });
}

function numberOf4(text: string): bigint {
  return text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function numberOf6(text: string): bigint {
  const [head = '', tail = ''] = text.split('::');
  const [left, right] = [head, tail].map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: 8 - (left?.length ?? 0) - (right?.length ?? 0) }, () => '0');
  return [...(left ?? []), ...zeros, ...(right ?? [])].reduce(
    (sum, group) => sum * 65_536n + BigInt(`0x${group}`),
    0n,
  );
}

const isIn = (all: readonly Range[], number: bigint): boolean =>
  all.some(({ base, length, bits }) => number >> BigInt(bits - length) === base >> BigInt(bits - length));

const text4 = (number: bigint): string =>
  [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join('.');
const groups6 = (number: bigint): readonly string[] =>
  Array.from({ length: 8 }, (_, index) => ((number >> BigInt(112 - 16 * index)) & 65_535n).toString(16));
const text6 = (number: bigint): string => groups6(number).join(':');

/** Anywhere, and as often within four of an edge of a range, on either side of it. */
function near(all: readonly Range[], bits: 32 | 128): fc.Arbitrary<bigint> {
  const max = (1n << BigInt(bits)) - 1n;
  const edges = all.flatMap(({ base, length }) => [base, base + (1n << BigInt(bits - length))]);
  const edge = fc
    .tuple(fc.constantFrom(...edges), fc.bigInt(-4n, 4n))
    .map(([at, offset]) => at + offset)
    .filter((number) => number >= 0n && number <= max);
  return fc.oneof(edge, fc.bigInt(0n, max));
}

const anyIPv4 = near(CLOSED_IPV4, 32);
const anyIPv6 = fc.oneof(
  near([...OPEN_IPV6, ...CLOSED_IPV6], 128),
  fc.bigInt(0n, (1n << 125n) - 1n).map((rest) => (1n << 125n) | rest),
);

describe('every address', () => {
  it('of IPv4 is public unless it is in one of fifteen ranges (webhooks rule 27)', () => {
    fc.assert(
      fc.property(anyIPv4, (number) => {
        const address = text4(number);
        const isClosed = isIn(CLOSED_IPV4, number) || METADATA_IPV4.includes(address);
        expect([address, classifyAddress(address, [])]).toEqual([address, isClosed ? 'blocked' : 'public']);
      }),
      RUNS,
    );
  });

  it('of IPv6 is public in 2000::/3 less four ranges, and nowhere else (webhooks rule 28)', () => {
    fc.assert(
      fc.property(anyIPv6, (number) => {
        const address = text6(number);
        const isOpen = isIn(OPEN_IPV6, number) && !isIn(CLOSED_IPV6, number);
        expect([address, classifyAddress(address, [])]).toEqual([address, isOpen ? 'public' : 'blocked']);
      }),
      RUNS,
    );
  });

  it('of IPv6 is the same in every spelling (webhooks rule 28)', () => {
    const spell = (number: bigint): readonly string[] => {
      const groups = groups6(number);
      const padded = groups.map((group) => group.padStart(4, '0')).join(':');
      const tail = text4(number & 0xffff_ffffn);
      return [padded, padded.toUpperCase(), `${groups.slice(0, 6).join(':')}:${tail}`];
    };
    fc.assert(
      fc.property(anyIPv6, (number) => {
        const expected = classifyAddress(text6(number), []);
        expect(spell(number).map((text) => classifyAddress(text, []))).toEqual([
          expected,
          expected,
          expected,
        ]);
      }),
      RUNS,
    );
  });

  it('of IPv4 in the clothes of IPv6 is closed: mapped, compatible, SIIT, NAT64, 6to4 (webhooks rule 28)', () => {
    fc.assert(
      fc.property(anyIPv4, (number) => {
        const [high, low] = groups6(number).slice(6);
        const text = text4(number);
        const disguised = [
          `::ffff:${text}`,
          `::${text}`,
          `::ffff:0:${text}`,
          `64:ff9b::${text}`,
          `64:ff9b:1::${text}`,
          `2002:${high}:${low}::1`,
          `::ffff:${high}:${low}`,
        ];
        expect(disguised.map((address) => classifyAddress(address, []))).toEqual(
          disguised.map(() => 'blocked'),
        );
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('what the operator opened', () => {
  const allow = parseCidrs('10.0.0.0/8 172.20.0.0/14 fd00::/8');
  const opened4 = ranges(32, '10.0.0.0/8 172.20.0.0/14');

  it('opens exactly its range of IPv4, and changes nothing about the rest (webhooks rule 32)', () => {
    fc.assert(
      fc.property(fc.oneof(near(opened4, 32), anyIPv4), (number) => {
        const address = text4(number);
        const before = classifyAddress(address, []);
        const expected = before === 'blocked' && isIn(opened4, number) ? 'allowed' : before;
        expect([address, classifyAddress(address, allow)]).toEqual([address, expected]);
      }),
      RUNS,
    );
  });

  it('never opens a metadata address, however wide it is and however the address is dressed (webhooks rule 32)', () => {
    const wide = parseCidrs('0.0.0.0/0 ::/0');
    const prefixes = fc.constantFrom(
      '::ffff:',
      '::',
      '::ffff:0:',
      '64:ff9b::',
      '64:ff9b:1::',
      'fd12:3456::',
      'fe80::5efe:',
    );
    fc.assert(
      fc.property(fc.constantFrom(...METADATA_IPV4), prefixes, (address, prefix) => {
        expect(classifyAddress(address, wide)).toBe('blocked');
        expect(classifyAddress(`${prefix}${address}`, wide)).toBe('blocked');
      }),
      { numRuns: 200 },
    );
  });
});
