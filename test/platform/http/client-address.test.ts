import { array, assert, constantFrom, ipV4, ipV6, oneof, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressBlock, findClientAddress } from '../../../src/platform/http/client-address.ts';
import { parseCidrs } from '../../../src/platform/ip-range.ts';

const PROXIES = parseCidrs('10.0.0.0/8, fd00::/8');
const PROXY = '10.0.0.1';

const find = (peerAddress: string | undefined, forwardedFor?: string) =>
  findClientAddress(PROXIES, { peerAddress, forwardedFor });

describe('without a trusted proxy', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
  ])('the other end of the socket, %s, is the client: %s', (peer, address) => {
    expect(find(peer)).toBe(address);
  });

  it('the header of a stranger counts for nothing (oauth rule 58)', () => {
    expect(find('192.0.2.7', '198.51.100.1')).toBe('192.0.2.7');
    expect(find('192.0.2.7', '198.51.100.1, 10.0.0.9')).toBe('192.0.2.7');
    expect(findClientAddress([], { peerAddress: PROXY, forwardedFor: '198.51.100.1' })).toBe(PROXY);
  });

  it.each([undefined, '', 'garbage'])('a socket whose other end is %j has no known address', (peer) => {
    expect(find(peer, '198.51.100.1')).toBe('unknown');
  });
});

describe('behind trusted proxies', () => {
  it.each([
    ['one', '192.0.2.7', '192.0.2.7'],
    ['several', '192.0.2.7, 10.0.0.3,10.0.0.2', '192.0.2.7'],
    ['one of IPv6', '192.0.2.7, fd00::3', '192.0.2.7'],
    ['one that is spelled as mapped into IPv6', '192.0.2.7, ::ffff:10.0.0.3', '192.0.2.7'],
    ['only trusted ones: a client on their network', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['one that adds no header', undefined, PROXY],
    ['one that adds an empty header', '', PROXY],
  ])('%s: %s is %s', (_, forwardedFor, address) => {
    expect(find(PROXY, forwardedFor)).toBe(address);
  });

  it.each([
    ['192.0.2.7:4711', '192.0.2.7'],
    ['[2001:db8::1]:443', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:db8:0::1', '2001:db8::1'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['fe80::1%en0', 'fe80::1'],
    ['\t192.0.2.7 ', '192.0.2.7'],
  ])('reads %j as %s', (entry, address) => {
    expect(find(PROXY, entry)).toBe(address);
  });

  it.each([
    'unknown',
    '_hidden',
    '0x7f.1',
    '127.1',
    '2130706433',
    '192.0.2.7:http',
    '[::1',
    '<script>',
    '192.0.2.256',
  ])('does not read %j, and stays with the proxy that wrote it', (entry) => {
    expect(find(PROXY, `198.51.100.1, ${entry}`)).toBe(PROXY);
    expect(find(PROXY, `198.51.100.1, ${entry}, 10.0.0.2`)).toBe('10.0.0.2');
  });

  it('whatever a client puts into the header, its own address is found (oauth rule 58)', () => {
    const forged = oneof(
      string(),
      ipV4(),
      ipV6(),
      constantFrom('10.0.0.9', 'fd00::9', '10.0.0.9, 198.51.100.1', ',,,', '192.0.2.7:1'),
    );
    assert(
      property(array(forged, { maxLength: 6 }), (entries) => {
        expect(find(PROXY, [...entries, '192.0.2.7', '10.0.0.2'].join(', '))).toBe('192.0.2.7');
      }),
    );
  });
});

describe('what a client can choose its address from', () => {
  it.each([
    ['2001:db8:1:2::3', '2001:db8:1:2:ffff::', true],
    ['2001:db8:1:2::3', '2001:db8:1:3::3', false],
    ['192.0.2.7', '192.0.2.8', false],
    ['unknown', 'unknown', true],
  ])('%s and %s are one place: %s', (one, other, isOne) => {
    expect(addressBlock(one) === addressBlock(other)).toBe(isOne);
  });
});
