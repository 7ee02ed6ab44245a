import { createHmac } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { generateSecret, parseSecret, signatureHeaders } from '../../src/webhooks/signature.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const BODY = Buffer.from('{"event":"quest.completed","data":{"title":"Überquerung"}}');
const DELIVERY = '01935a7e-3c00-7000-8000-000000000001';

function sign(texts: readonly string[], timestampSeconds = Math.floor(Date.now() / 1000)) {
  return signatureHeaders({
    body: BODY,
    deliveryId: DELIVERY,
    timestampSeconds,
    secrets: texts.map(parseSecret),
  });
}

describe('X-Optio-Signature (webhooks rule 23)', () => {
  it('is the lower-case hex HMAC of the body under the whole secret as shown', () => {
    const expected = createHmac('sha256', SECRET).update(BODY).digest('hex');
    expect(sign([SECRET])['X-Optio-Signature']).toBe(`sha256=${expected}`);
  });

  it('gives the known answer', () => {
    const headers = signatureHeaders({
      body: Buffer.from('{}'),
      deliveryId: DELIVERY,
      timestampSeconds: 1_790_000_000,
      secrets: [parseSecret(SECRET)],
    });
    expect(headers['X-Optio-Signature']).toBe(
      'sha256=6a966e9fbe372d844479178763f2318c6bc0a7b3fe5caa5265ff1b9c9eb552c6',
    );
    expect(headers['webhook-signature']).toBe('v1,HcW2mkrYlem7fcXbPBHZY5gSCPzb9Bwuf2u/V0mvIaY=');
  });

  it('is made by the newest secret alone during a rotation', () => {
    const newest = generateSecret();
    expect(sign([newest, SECRET])['X-Optio-Signature']).toBe(sign([newest])['X-Optio-Signature']);
    expect(sign([newest, SECRET])['X-Optio-Signature']).not.toBe(sign([SECRET])['X-Optio-Signature']);
  });

  it('does not depend on the time, so that it is the same on every attempt', () => {
    expect(sign([SECRET], 1)['X-Optio-Signature']).toBe(sign([SECRET], 2)['X-Optio-Signature']);
  });
});

describe('Standard Webhooks headers (webhooks rule 24)', () => {
  it('are verified unchanged by the standardwebhooks package', () => {
    expect(new Webhook(SECRET).verify(BODY, { ...sign([SECRET]) })).toEqual(JSON.parse(BODY.toString()));
  });

  it('are verified by the old secret and by the new one during a rotation', () => {
    const newest = generateSecret();
    const headers = { ...sign([newest, SECRET]) };
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
    expect(new Webhook(newest).verify(BODY, headers)).toBeDefined();
    expect(new Webhook(SECRET).verify(BODY, headers)).toBeDefined();
  });

  it('are refused under another secret, for another body, id and time', () => {
    const verifier = new Webhook(SECRET);
    const headers = { ...sign([SECRET]) };
    const later = String(Number(headers['webhook-timestamp']) + 1);
    expect(() => new Webhook(generateSecret()).verify(BODY, headers)).toThrow('No matching signature found');
    expect(() => verifier.verify(Buffer.from('{}'), headers)).toThrow('No matching signature found');
    expect(() => verifier.verify(BODY, { ...headers, 'webhook-id': 'other' })).toThrow(
      'No matching signature found',
    );
    expect(() => verifier.verify(BODY, { ...headers, 'webhook-timestamp': later })).toThrow(
      'No matching signature found',
    );
  });

  it('name the delivery and the time', () => {
    const headers = sign([SECRET], 1_790_000_000);
    expect(headers['webhook-id']).toBe(DELIVERY);
    expect(headers['webhook-timestamp']).toBe('1790000000');
  });
});

describe('secrets', () => {
  it('are whsec_ and 32 random bytes in base64, each another one', () => {
    const secret = generateSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32);
    expect(generateSecret()).not.toBe(secret);
  });

  it.each([
    ['nothing', ''],
    ['no prefix', Buffer.alloc(32).toString('base64')],
    ['too short', `whsec_${Buffer.alloc(24).toString('base64')}`],
    ['too long', `whsec_${Buffer.alloc(33).toString('base64')}`],
    ['no base64', `whsec_${'!'.repeat(43)}=`],
    ['a line break at the end', `${SECRET}\n`],
  ])('are refused with %s, without being repeated', (_, text) => {
    expect(() => parseSecret(text)).toThrow('Expected a webhook secret: whsec_ and 32 bytes in base64.');
  });

  it('have to be there to sign', () => {
    expect(() => sign([])).toThrow('without a secret');
  });
});
