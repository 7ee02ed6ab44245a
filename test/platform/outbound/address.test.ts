import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCidrs } from '../../../src/platform/ip-range.ts';
import { classifyAddress } from '../../../src/platform/outbound/address.ts';

const classify = (address: string) => classifyAddress(address, []);

/** First and last address of each closed range, with the neighbours outside, where those are open. */
const CLOSED_IPV4: readonly (readonly [string, string, string | null, string | null])[] = [
  ['0.0.0.0', '0.255.255.255', null, '1.0.0.0'],
  ['10.0.0.0', '10.255.255.255', '9.255.255.255', '11.0.0.0'],
  ['100.64.0.0', '100.127.255.255', '100.63.255.255', '100.128.0.0'],
  ['127.0.0.0', '127.255.255.255', '126.255.255.255', '128.0.0.0'],
  ['169.254.0.0', '169.254.255.255', '169.253.255.255', '169.255.0.0'],
  ['172.16.0.0', '172.31.255.255', '172.15.255.255', '172.32.0.0'],
  ['192.0.0.0', '192.0.0.255', '191.255.255.255', '192.0.1.0'],
  ['192.0.2.0', '192.0.2.255', '192.0.1.255', '192.0.3.0'],
  ['192.88.99.0', '192.88.99.255', '192.88.98.255', '192.88.100.0'],
  ['192.168.0.0', '192.168.255.255', '192.167.255.255', '192.169.0.0'],
  ['198.18.0.0', '198.19.255.255', '198.17.255.255', '198.20.0.0'],
  ['198.51.100.0', '198.51.100.255', '198.51.99.255', '198.51.101.0'],
  ['203.0.113.0', '203.0.113.255', '203.0.112.255', '203.0.114.0'],
  ['224.0.0.0', '239.255.255.255', '223.255.255.255', null],
  ['240.0.0.0', '255.255.255.255', null, null],
];

const toNumber = (text: string) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);

describe('IPv4 (webhooks rule 27)', () => {
  it.each(CLOSED_IPV4)('%s to %s are closed, their neighbours open', (first, last, before, after) => {
    expect([classify(first), classify(last)]).toEqual(['blocked', 'blocked']);
    const neighbours = [before, after].filter((neighbour) => neighbour !== null);
    expect(neighbours.map(classify)).toEqual(neighbours.map(() => 'public'));
  });

  it('is open everywhere else, and closed within', () => {
    const ranges = CLOSED_IPV4.map(([first, last]) => [toNumber(first), toNumber(last)] as const);
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const number = toNumber(address);
        const isClosed = ranges.some(([first, last]) => number >= first && number <= last);
        // Azure's metadata address lies in a public range.
        fc.pre(address !== '168.63.129.16');
        expect(classify(address)).toBe(isClosed ? 'blocked' : 'public');
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('IPv6 (webhooks rule 28)', () => {
  it.each([
    ['2000::', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '3fff::'],
    ['3fff:1000::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '4000::'],
    ['2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2001::'],
    ['2001:200::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db7:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db8::'],
    ['2001:db9::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2002::'],
    ['2003::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2606:4700:4700::1111', '::'],
  ])('%s is open, %s beside it is closed', (open, closed) => {
    expect([classify(open), classify(closed)]).toEqual(['public', 'blocked']);
  });

  it.each([
    ['loopback', '::1'],
    ['mapped loopback', '::ffff:127.0.0.1'],
    ['mapped public address', '::ffff:1.1.1.1'],
    ['mapped in hex', '::ffff:0101:0101'],
    ['compatible', '::1.1.1.1'],
    ['SIIT', '::ffff:0:1.1.1.1'],
    ['NAT64', '64:ff9b::1.1.1.1'],
    ['local NAT64', '64:ff9b:1::1'],
    ['discard', '100::1'],
    ['Teredo', '2001:0:1::1'],
    ['6to4 of a public address', '2002:101:101::1'],
    ['SRv6', '5f00::1'],
    ['unique local', 'fc00::1'],
    ['unique local', 'fd12:3456:789a::1'],
    ['link-local', 'fe80::1'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['zone id', 'fe80::1%eth0'],
    ['zone id on a public address', '2606:4700:4700::1111%1'],
  ])('%s is closed: %s', (_, address) => {
    expect(classify(address)).toBe('blocked');
  });

  it('is open in 2000::/3 alone', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        if (classify(address) !== 'public') return;
        const first = Number.parseInt(address.split(':')[0] ?? '', 16);
        expect(first & 0xe000).toBe(0x2000);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what is not an address in its standard form is closed', () => {
  it.each([
    '',
    'localhost',
    '127.1',
    '0x7f.0.0.1',
    '017700000001',
    '2130706433',
    '1.1.1',
    '01.1.1.1',
    '1.1.1.1 ',
    '1.1.1.1/32',
    '1.1.1.256',
    '[2606:4700::1]',
    '2606:4700::1::2',
    '１.1.1.1',
  ])('%j', (address) => {
    expect(classifyAddress(address, parseCidrs('0.0.0.0/0 ::/0'))).toBe('blocked');
  });

  it('any text at all', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(classify(text)).toBe('blocked');
      }),
      { numRuns: 500 },
    );
  });
});

describe('ranges the operator opened (webhooks rule 32)', () => {
  const allow = parseCidrs('10.1.0.0/16, fd00::/8');

  it('are allowed, and their neighbours are not', () => {
    expect(classifyAddress('10.1.255.255', allow)).toBe('allowed');
    expect(classifyAddress('10.2.0.0', allow)).toBe('blocked');
    expect(classifyAddress('fd12::1', allow)).toBe('allowed');
    expect(classifyAddress('fc12::1', allow)).toBe('blocked');
  });

  it('do not open the same address in a mapped form', () => {
    expect(classifyAddress('::ffff:10.1.0.1', allow)).toBe('blocked');
  });

  it('change nothing about public addresses', () => {
    expect(classifyAddress('1.1.1.1', parseCidrs('0.0.0.0/0'))).toBe('public');
  });

  it.each([
    '169.254.169.254',
    '169.254.170.2',
    '100.100.100.200',
    '192.0.0.192',
    '168.63.129.16',
    'fd00:ec2::254',
    'fd00:ec2:0:0:0:0:0:254',
    'fd20:ce::254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    '::169.254.169.254',
    '::ffff:0:169.254.169.254',
    '64:ff9b::169.254.169.254',
    '64:ff9b:1::169.254.169.254',
    '64:ff9b:1:a9fe:a9:fe00::',
    '2002:a9fe:a9fe::1',
    '2001:0:1:2:3:4:5601:5601',
    '::ffff:100.100.100.200',
    '::ffff:168.63.129.16',
  ])('never open the metadata address %s', (address) => {
    expect(classifyAddress(address, parseCidrs('0.0.0.0/0 ::/0'))).toBe('blocked');
  });
});

describe('parseCidrs', () => {
  it('reads ranges and single addresses, separated by commas or spaces', () => {
    expect(parseCidrs(' 10.0.0.0/8,192.168.1.1\n::1/128 ')).toHaveLength(3);
    expect(parseCidrs('')).toEqual([]);
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0.1/8',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10/8',
    'x',
    '1.1.1.1/8/8',
    'fe80::1%1',
    '::1/0',
  ])('refuses %j, by name', (text) => {
    expect(() => parseCidrs(`127.0.0.0/8 ${text}`)).toThrow(JSON.stringify(text));
  });

  it('names every fault at once', () => {
    expect(() => parseCidrs('a 10.0.0.0/8 b')).toThrow('"a", "b"');
  });
});
