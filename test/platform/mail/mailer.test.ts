/** From the transaction that asks for a mail to the mail server: nothing is lost, nothing secret is stored or logged. */
import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TurnableClock, turnableClock } from '../../../src/lib/clock.ts';
import { createPool, inTransaction } from '../../../src/platform/database/pool.ts';
import { writeLetter } from '../../../src/platform/mail/letter.ts';
import type { MailTransport } from '../../../src/platform/mail/mail.ts';
import {
  MAIL_RETRY_MINUTES,
  type MailerOptions,
  type MailOutcome,
  sendDueMails,
  startMailer,
} from '../../../src/platform/mail/mailer.ts';
import { claimMails, queueMail, readOutboxState } from '../../../src/platform/mail/outbox.ts';
import { createSmtpTransport } from '../../../src/platform/mail/smtp-transport.ts';
import { createTestDatabase, query, type TestDatabase } from '../../support/database.ts';
import { type MailServer, startMailServer } from '../../support/mail-server.ts';

const MINUTE = 60_000;
const SECRET = 'the-token-in-the-link';

let database: TestDatabase;
let pool: Pool;
let server: MailServer;
let clock: TurnableClock;
let warnings: object[];
let settled: [unknown, MailOutcome][];
let attempts: number[];

beforeEach(async () => {
  database = await createTestDatabase();
  pool = createPool({ url: database.urls.authUrl, maxConnections: 5, onIdleError: () => undefined });
  server = await startMailServer();
  clock = turnableClock(new Date('2026-11-25T08:00:00Z'));
  [warnings, settled, attempts] = [[], [], []];
});
afterEach(async () => {
  await pool.end();
  await server.close();
  await database.drop();
});

/** The mailer's options; `change` replaces some of them. */
function options(change: { readonly transport?: MailTransport } = {}): MailerOptions {
  return {
    pool,
    clock,
    transport: transportTo(server.port),
    templates: { greeting: greeting() },
    warn: (fields: object, message: string) => void warnings.push({ ...fields, message }),
    ...change,
  };
}

function transportTo(port: number): MailTransport {
  const smtp = { host: '127.0.0.1', port, tls: 'off', credentials: undefined } as const;
  return createSmtpTransport({ server: smtp, from: { name: 'Optio', address: 'no-reply@optio.example' } });
}

function greeting() {
  return {
    compose: async (data: unknown, attempt: number) => {
      attempts.push(attempt);
      const { to } = data as { to: string }; // As `ask` gives it.
      const link = { label: 'Open', url: `https://optio.example/?token=${SECRET}` };
      return to === '' ? null : writeLetter({ to, subject: 'Hello', paragraphs: [], link, notes: [] });
    },
    settle: async (data: unknown, outcome: MailOutcome) => void settled.push([data, outcome]),
  };
}

async function ask(to: string, { template = 'greeting', hours = 24 } = {}): Promise<void> {
  const expiresAt = new Date(clock.now().getTime() + hours * 60 * MINUTE);
  await queueMail(pool, { id: randomUUID(), key: to, template, data: { to }, expiresAt }, clock.now());
}

function outbox(): Promise<Record<string, unknown>[]> {
  return query(database.ownerUrl, 'SELECT * FROM outgoing_mails ORDER BY created_at');
}

describe('a mail that was asked for', () => {
  it('is sent, its template is told, and nothing of it stays', async () => {
    await ask('ada@school.example');
    expect(await sendDueMails(options())).toBe(1);
    expect(server.mails).toMatchObject([{ to: ['ada@school.example'] }]);
    expect(settled).toEqual([[{ to: 'ada@school.example' }, { sent: true }]]);
    expect(await outbox()).toEqual([]);
    expect(await sendDueMails(options())).toBe(0);
  });

  it('waits in a row without anything secret', async () => {
    await ask('ada@school.example');
    expect(JSON.stringify(await outbox())).not.toContain(SECRET);
  });

  it('is not sent when the transaction that asked was rolled back, or nothing is to be sent any more', async () => {
    const failing = inTransaction(pool, async (tx) => {
      const mail = { id: randomUUID(), key: 'eve', template: 'greeting', data: { to: 'eve@school.example' } };
      await queueMail(tx, { ...mail, expiresAt: new Date(clock.now().getTime() + MINUTE) }, clock.now());
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    await ask('');
    expect(await sendDueMails(options())).toBe(1);
    expect(server.mails).toEqual([]);
    expect(settled).toEqual([]);
    expect(await outbox()).toEqual([]);
  });

  it('twice, while it waits, is sent once', async () => {
    await ask('ada@school.example');
    await ask('ada@school.example');
    expect(await sendDueMails(options())).toBe(1);
    await ask('ada@school.example');
    expect(await sendDueMails(options())).toBe(1);
    const ids = server.mails.map(({ headers }) => headers.get('message-id'));
    expect(new Set(ids).size).toBe(2);
  });

  it('is found by a mailer that runs, without being hurried', async () => {
    const mailer = startMailer(options());
    await ask('ada@school.example');
    mailer.hurry();
    await server.received(1);
    await mailer.stop();
    expect(await outbox()).toEqual([]);
  });
});

describe('while the mail server is down', () => {
  it('a mail is tried again on schedule, and sent when the server is back', async () => {
    await ask('ada@school.example');
    await server.close();
    expect(await sendDueMails(options())).toBe(1);
    clock.advance(MINUTE - 1);
    expect(await sendDueMails(options())).toBe(0);
    clock.advance(1);
    expect(await sendDueMails(options())).toBe(1);
    server = await startMailServer({ port: server.port });
    clock.advance(MINUTE);
    expect(await sendDueMails(options())).toBe(0);
    clock.advance(MINUTE);
    expect(await sendDueMails(options())).toBe(1);
    expect(server.mails).toMatchObject([{ to: ['ada@school.example'] }]);
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('the operator reads why in the log, and no link and no address', async () => {
    await ask('ada@school.example');
    server.refuse = { at: 'recipient', code: 450, text: '<ada@school.example> is busy' };
    await sendDueMails(options());
    expect(warnings).toMatchObject([
      {
        message: 'a mail is tried again',
        template: 'greeting',
        attempt: 1,
        reason: expect.stringContaining('<[address]> is busy'),
      },
    ]);
    expect(JSON.stringify(warnings)).not.toMatch(/ada@|the-token/);
  });

  it('a mail is given up after its last attempt, and its template is told', async () => {
    await ask('ada@school.example', { hours: 24 * 30 });
    server.refuse = { at: 'content', code: 451, text: 'later' };
    for (const minutes of [0, ...MAIL_RETRY_MINUTES]) {
      clock.advance(minutes * MINUTE);
      expect(await sendDueMails(options())).toBe(1);
    }
    expect(attempts).toHaveLength(MAIL_RETRY_MINUTES.length + 1);
    expect(settled).toEqual([
      [{ to: 'ada@school.example' }, { sent: false, reason: expect.stringContaining('13 times') }],
    ]);
    expect(await outbox()).toEqual([]);
  });

  it('a mail is not tried beyond its time', async () => {
    await ask('ada@school.example', { hours: 1 });
    server.refuse = { at: 'content', code: 451, text: 'later' };
    for (const minutes of [0, 1, 2, 5, 15, 30]) {
      clock.advance(minutes * MINUTE);
      await sendDueMails(options());
    }
    expect(attempts).toHaveLength(6);
    expect(settled).toMatchObject([[{}, { sent: false }]]);
    expect(await outbox()).toEqual([]);
  });
});

describe('a mailbox that is unknown', () => {
  it('is not asked again', async () => {
    await ask('nobody@school.example');
    server.refuse = { at: 'recipient', code: 550, text: '5.1.1 no such user nobody@school.example' };
    await sendDueMails(options());
    expect(settled).toEqual([
      [{ to: 'nobody@school.example' }, { sent: false, reason: expect.stringContaining('no such user') }],
    ]);
    expect(await outbox()).toEqual([]);
    expect(JSON.stringify(warnings)).not.toContain('nobody@');
  });
});

describe('a process that dies', () => {
  it('between the commit and the sending loses nothing', async () => {
    await ask('ada@school.example');
    // It took the mail and was gone.
    expect(await claimMails(pool, { limit: 5, leaseMs: 300_000 }, clock.now())).toHaveLength(1);
    expect(await sendDueMails(options())).toBe(0);
    clock.advance(300_000);
    expect(await sendDueMails(options())).toBe(1);
    expect(server.mails).toHaveLength(1);
  });

  it('only seemed to, and came back after its lease: it ends nothing of the one that took over', async () => {
    await ask('ada@school.example');
    let isStuck = true;
    const stuck: MailTransport = {
      send: async () => {
        isStuck = false;
        clock.advance(300_000);
        await sendDueMails(options({ transport: { send: async () => Promise.reject(new Error('down')) } }));
      },
    };
    await sendDueMails(options({ transport: stuck }));
    expect(isStuck).toBe(false);
    expect(await outbox()).toMatchObject([{ attempt_count: 2 }]);
  });
});

describe('several mailers', () => {
  it('send each mail once', async () => {
    for (let number = 0; number < 12; number += 1) await ask(`pupil-${number}@school.example`);
    const counts = await Promise.all([1, 2, 3].map(() => sendDueMails(options())));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(12);
    expect(new Set(server.mails.map(({ to }) => to[0])).size).toBe(12);
    expect(server.mails).toHaveLength(12);
  });

  it('are not held up by a mail that fails on our side', async () => {
    await ask('ada@school.example', { template: 'of a newer process' });
    await ask('eve@school.example');
    await sendDueMails(options());
    expect(server.mails).toMatchObject([{ to: ['eve@school.example'] }]);
    expect(await outbox()).toMatchObject([{ template: 'of a newer process' }]);
  });
});

describe('What waits in the outbox', () => {
  it('is counted, with the age of the oldest, until it is sent', async () => {
    expect(await readOutboxState(pool, clock.now())).toEqual({ waiting: 0, oldestSeconds: 0 });
    const mail = {
      key: 'a',
      template: 'greeting',
      data: { to: '' },
      expiresAt: new Date('2026-11-26T08:00:00Z'),
    };
    await queueMail(pool, { ...mail, id: randomUUID() }, clock.now());
    clock.advance(MINUTE);
    await queueMail(pool, { ...mail, id: randomUUID(), key: 'b' }, clock.now());
    expect(await readOutboxState(pool, clock.now())).toEqual({ waiting: 2, oldestSeconds: 60 });
    await sendDueMails(options());
    expect(await readOutboxState(pool, clock.now())).toEqual({ waiting: 0, oldestSeconds: 0 });
  });
});
