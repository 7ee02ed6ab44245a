import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { generateSecret, parseSecret, signatureHeaders } from '../../src/webhooks/signature.ts';
import { verifyWebhook, verifyWebhookSignature, WebhookVerificationError } from '../../verify/index.js';

const SECRET = generateSecret();
const BODY = '{"event":"badge.earned","data":{"badge_name":"Über"}}';
const NOW = new Date('2026-11-23T12:00:00Z');
const HEADERS = { ...sign(NOW) };
const SIGNATURE = HEADERS['X-Optio-Signature'];

function sign(at: Date, secrets: readonly string[] = [SECRET]) {
  const timestampSeconds = Math.floor(at.getTime() / 1000);
  return signatureHeaders({
    body: Buffer.from(BODY),
    deliveryId: 'd-1',
    timestampSeconds,
    secrets: secrets.map(parseSecret),
  });
}

const at = (seconds: number) => ({ now: new Date(NOW.getTime() + seconds * 1000) });

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message;
    throw error;
  }
  throw new Error('It was accepted.');
}

describe('verifyWebhookSignature (webhooks rule 26)', () => {
  it.each([
    ['a string', BODY],
    ['a Buffer', Buffer.from(BODY)],
    ['bytes', new TextEncoder().encode(BODY)],
    ['a part of a larger buffer', Buffer.from(`x${BODY}x`).subarray(1, 1 + Buffer.byteLength(BODY))],
  ])('accepts %s', (_, payload) => {
    expect(verifyWebhookSignature(payload, SIGNATURE, SECRET)).toBe(true);
  });

  it('refuses another body, secret or signature with one message that tells a forger nothing', () => {
    const forged = `sha256=${'0'.repeat(64)}`;
    const messages = [
      refusal(() => verifyWebhookSignature(`${BODY} `, SIGNATURE, SECRET)),
      refusal(() => verifyWebhookSignature(BODY, SIGNATURE, generateSecret())),
      refusal(() => verifyWebhookSignature(BODY, forged, SECRET)),
    ];
    expect(new Set(messages).size).toBe(1);
    expect(messages[0]).not.toContain(SIGNATURE.slice(7, 20));
  });

  it.each([undefined, null, ''])('says that %j is missing', (signature) => {
    expect(refusal(() => verifyWebhookSignature(BODY, signature, SECRET))).toContain('missing');
  });

  it.each([
    'sha256=',
    'sha1=abc',
    SIGNATURE.slice(7),
    SIGNATURE.toUpperCase(),
    `${SIGNATURE}\n`,
    `${SIGNATURE}00`,
  ])('says that %j is malformed', (signature) => {
    expect(refusal(() => verifyWebhookSignature(BODY, signature, SECRET))).toContain('form');
  });

  it('tells a parsed body and a missing secret apart from a forgery', () => {
    // Callers in JavaScript pass what the types forbid.
    const parsed = JSON.parse(BODY) as string;
    expect(() => verifyWebhookSignature(parsed, SIGNATURE, SECRET)).toThrow(TypeError);
    expect(() => verifyWebhookSignature(BODY, SIGNATURE, '')).toThrow(TypeError);
  });
});

describe('verifyWebhook (webhooks rule 26, Standard Webhooks 1.0)', () => {
  it.each([
    ['a plain object', HEADERS],
    ['Headers', new Headers(HEADERS)],
    [
      'names in any case',
      {
        'Webhook-Id': 'd-1',
        'WEBHOOK-TIMESTAMP': HEADERS['webhook-timestamp'],
        'Webhook-Signature': HEADERS['webhook-signature'],
      },
    ],
    ['lists of values', { ...HEADERS, 'webhook-id': ['d-1'] }],
  ])('accepts %s and gives the parsed payload', (_, headers) => {
    expect(verifyWebhook(BODY, headers, SECRET, { now: NOW })).toEqual(JSON.parse(BODY));
  });

  it('accepts bytes, and what another implementation signed', () => {
    const signature = new Webhook(SECRET).sign('m-1', NOW, BODY);
    const headers = {
      'webhook-id': 'm-1',
      'webhook-timestamp': String(NOW.getTime() / 1000),
      'webhook-signature': signature,
    };
    expect(verifyWebhook(new TextEncoder().encode(BODY), headers, SECRET, { now: NOW })).toEqual(
      JSON.parse(BODY),
    );
  });

  it('accepts either secret during a rotation', () => {
    const newest = generateSecret();
    const headers = { ...sign(NOW, [newest, SECRET]) };
    expect(verifyWebhook(BODY, headers, newest, { now: NOW })).toBeDefined();
    expect(verifyWebhook(BODY, headers, SECRET, { now: NOW })).toBeDefined();
  });

  it('accepts a timestamp that is off by 5 minutes, and no more', () => {
    expect(verifyWebhook(BODY, HEADERS, SECRET, at(300))).toBeDefined();
    expect(verifyWebhook(BODY, HEADERS, SECRET, at(-300))).toBeDefined();
    expect(refusal(() => verifyWebhook(BODY, HEADERS, SECRET, at(301)))).toContain('too old');
    expect(refusal(() => verifyWebhook(BODY, HEADERS, SECRET, at(-301)))).toContain('future');
    expect(
      refusal(() => verifyWebhook(BODY, HEADERS, SECRET, { ...at(11), toleranceSeconds: 10 })),
    ).toContain('too old');
    expect(refusal(() => verifyWebhook(BODY, HEADERS, SECRET, { now: new Date(Number.NaN) }))).toContain(
      'too old',
    );
  });

  it('compares with the time of the call when none is given', () => {
    expect(verifyWebhook(BODY, { ...sign(new Date()) }, SECRET)).toBeDefined();
    expect(refusal(() => verifyWebhook(BODY, { ...sign(new Date(0)) }, SECRET))).toContain('too old');
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])('says that %s is missing', (name) => {
    const headers = Object.fromEntries(Object.entries(HEADERS).filter(([key]) => key !== name));
    expect(refusal(() => verifyWebhook(BODY, headers, SECRET, { now: NOW }))).toBe(
      `The header ${name} is missing.`,
    );
    expect(refusal(() => verifyWebhook(BODY, new Headers(headers), SECRET, { now: NOW }))).toContain(name);
  });

  it.each([
    ['another body', { payload: `${BODY}\n` }],
    ['another id', { headers: { ...HEADERS, 'webhook-id': 'd-2' } }],
    ['another time', { headers: { ...HEADERS, 'webhook-timestamp': String(NOW.getTime() / 1000 + 1) } }],
    ['another secret', { secret: generateSecret() }],
    [
      'another version',
      { headers: { ...HEADERS, 'webhook-signature': HEADERS['webhook-signature'].replace('v1', 'v2') } },
    ],
    [
      'half a signature',
      { headers: { ...HEADERS, 'webhook-signature': HEADERS['webhook-signature'].slice(0, 20) } },
    ],
  ])('refuses %s', (_, change) => {
    const { payload, headers, secret } = { payload: BODY, headers: HEADERS, secret: SECRET, ...change };
    expect(refusal(() => verifyWebhook(payload, headers, secret, { now: NOW }))).toContain('does not match');
  });

  it('refuses a timestamp that is no number, and a payload that is no JSON', () => {
    const headers = { ...HEADERS, 'webhook-timestamp': '1790000000abc' };
    expect(refusal(() => verifyWebhook(BODY, headers, SECRET, { now: NOW }))).toContain('not a number');
    const signature = new Webhook(SECRET).sign('d-1', NOW, 'no json');
    expect(
      refusal(() =>
        verifyWebhook('no json', { ...HEADERS, 'webhook-signature': signature }, SECRET, { now: NOW }),
      ),
    ).toContain('not JSON');
  });

  it('tells a secret that is none apart from a forgery', () => {
    expect(() => verifyWebhook(BODY, HEADERS, 'whsec_???', { now: NOW })).toThrow(TypeError);
  });
});

describe('both (webhooks rule 26)', () => {
  /** Node's comparison in constant time, for the length of a test. */
  function watchComparison() {
    const compare = vi.spyOn(crypto, 'timingSafeEqual');
    // What was imported by name follows.
    syncBuiltinESMExports();
    onTestFinished(() => {
      compare.mockRestore();
      syncBuiltinESMExports();
    });
    return compare;
  }

  it('compare in constant time: nothing but that comparison decides, whole digests of one length, every entry (webhooks rule 26)', () => {
    const compare = watchComparison();
    const entries = ['v1,', 'v1,x', HEADERS['webhook-signature'], 'v1,y'];
    const headers = { ...HEADERS, 'webhook-signature': entries.join(' ') };
    expect(verifyWebhook(BODY, headers, SECRET, { now: NOW })).toBeDefined();
    expect(verifyWebhookSignature(BODY, SIGNATURE, SECRET)).toBe(true);
    expect(compare).toHaveBeenCalledTimes(entries.length + 1);
    for (const [left, right] of compare.mock.calls) {
      expect([left.byteLength, right.byteLength]).toEqual([32, 32]);
    }

    compare.mockReturnValue(true);
    expect(verifyWebhookSignature(BODY, `sha256=${'0'.repeat(64)}`, SECRET)).toBe(true);
    const forged = { ...HEADERS, 'webhook-signature': 'v1,forged' };
    expect(verifyWebhook(BODY, forged, SECRET, { now: NOW })).toBeDefined();
  });
});
