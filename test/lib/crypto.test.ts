import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  deriveKey,
  equalInConstantTime,
  hmacSha256,
  randomAlphanumeric,
  randomText,
  seal,
  sha256,
  unseal,
} from '../../src/lib/crypto.ts';

const [oldKey, newKey] = [randomBytes(32), randomBytes(32)];
const SECRET = Buffer.from('whsec_of-a-school');
// OpenSSL's words, Node's words on lengths, and ours where the key's name is cut.
const REFUSED = /unable to authenticate|Invalid|MASTER_KEY/;

describe('sealing (webhooks rule 25)', () => {
  it('opens what it sealed, and shows nothing of it', () => {
    const sealed = seal([oldKey], SECRET, 'subscription-1');
    expect(unseal([oldKey], sealed, 'subscription-1')).toEqual(SECRET);
    expect(sealed.includes(SECRET)).toBe(false);
    expect(unseal([oldKey], seal([oldKey], Buffer.alloc(0), 'a'), 'a')).toEqual(Buffer.alloc(0));
  });

  it('never seals the same thing the same way', () => {
    const sealed = Array.from({ length: 100 }, () => seal([oldKey], SECRET, 'a').toString('hex'));
    expect(new Set(sealed).size).toBe(100);
  });

  it('opens under every key while one is rotated, and seals under the newest', () => {
    const before = seal([oldKey], SECRET, 'a');
    expect(unseal([newKey, oldKey], before, 'a')).toEqual(SECRET);
    const after = seal([newKey, oldKey], SECRET, 'a');
    expect(unseal([newKey], after, 'a')).toEqual(SECRET);
  });

  it('says which setting is wrong when the key is gone', () => {
    expect(() => unseal([newKey], seal([oldKey], SECRET, 'a'), 'a')).toThrow('MASTER_KEY');
  });

  it('refuses another context: a sealed secret cannot be moved to another subscription', () => {
    const sealed = seal([oldKey], SECRET, 'subscription-1');
    for (const context of ['subscription-2', '', 'subscription-1 ']) {
      expect(() => unseal([oldKey], sealed, context)).toThrow(REFUSED);
    }
  });

  it('refuses it with any bit flipped', () => {
    const sealed = seal([oldKey], SECRET, 'a');
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => unseal([oldKey], changed, 'a'), `bit ${bit}`).toThrow(REFUSED);
    }
  });

  it.each([SECRET, Buffer.alloc(0)])(
    'refuses it cut short at any place: not even part of a tag counts',
    (secret) => {
      const sealed = seal([oldKey], secret, 'a');
      for (let length = 0; length < sealed.length; length += 1) {
        expect(() => unseal([oldKey], sealed.subarray(0, length), 'a'), `${length} bytes`).toThrow(REFUSED);
      }
    },
  );
});

describe('hashes', () => {
  it('are SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 4231, case 2)', () => {
    expect(sha256('abc').toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(hmacSha256('Jefe', 'what do ya want for nothing?').toString('hex')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });

  it('are of a text’s UTF-8 bytes', () => {
    expect(sha256('schlüssel')).toEqual(createHash('sha256').update(Buffer.from('schlüssel')).digest());
  });

  it('compare texts and bytes of any length', () => {
    expect(equalInConstantTime('a', Buffer.from('a'))).toBe(true);
    expect(equalInConstantTime('', '')).toBe(true);
    for (const other of ['b', 'aa', '', 'A']) expect(equalInConstantTime('a', other)).toBe(false);
  });
});

describe('keys and random texts', () => {
  it('are derived for one purpose each, the same every time (RFC 5869)', () => {
    expect(deriveKey(oldKey, 'a')).toHaveLength(32);
    expect(deriveKey(oldKey, 'a')).toEqual(deriveKey(oldKey, 'a'));
    const keys = [deriveKey(oldKey, 'a'), deriveKey(oldKey, 'b'), deriveKey(newKey, 'a'), oldKey];
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(4);
  });

  it('are letters and digits, as many as asked for, all of them used', () => {
    expect(randomAlphanumeric(43)).toMatch(/^[A-Za-z0-9]{43}$/);
    expect(new Set(randomAlphanumeric(10_000)).size).toBe(62);
    expect(new Set(Array.from({ length: 100 }, () => randomAlphanumeric(43))).size).toBe(100);
  });

  it.each([2, 31, 62, 200, 256])('use each of %i characters as often as any other', (size) => {
    const alphabet = String.fromCharCode(...Array.from({ length: size }, (_, index) => 0x100 + index));
    const text = randomText(size * 1_000, alphabet);
    expect(text).toHaveLength(size * 1_000);
    const counts = alphabet.split('').map((character) => text.split(character).length - 1);
    // Ten standard deviations of a thousand; to take bytes modulo the size would be off by half of it and more.
    expect(Math.min(...counts)).toBeGreaterThan(684);
    expect(Math.max(...counts)).toBeLessThan(1_316);
  });

  it('are as long as asked for, from none on', () => {
    for (const length of [0, 1, 15, 16, 17, 1_000]) expect(randomAlphanumeric(length)).toHaveLength(length);
  });
});
