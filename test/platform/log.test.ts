import { describe, expect, it } from 'vitest';
import { createLog, type LogLevel } from '../../src/platform/log.ts';

function logTo(options: { level?: LogLevel; pretty?: boolean } = {}) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: options.level ?? 'debug', pretty: options.pretty ?? false, destination });
  return { log, lines, last: (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '') };
}

describe('The log', () => {
  it('writes one JSON object a line: time, level, message, fields', () => {
    const { log, last } = logTo();
    log.info({ port: 4000 }, 'listening');
    expect(last()).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      level: 'info',
      message: 'listening',
      port: 4000,
    });
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = logTo({ level: 'warn' });
    log.debug({}, 'a');
    log.info({}, 'b');
    log.warn({}, 'c');
    log.error({}, 'd');
    expect(lines.map((line) => JSON.parse(line).message)).toEqual(['c', 'd']);
  });

  it('gives the fields of a child to each of its lines, and to those of its children', () => {
    const { log, last } = logTo();
    log.child({ request_id: 'r1' }).child({ lane: 'l1' }).info({ n: 1 }, 'a');
    expect(last()).toMatchObject({ request_id: 'r1', lane: 'l1', n: 1 });
  });

  it('describes an error with its causes, and none of its further fields', () => {
    const { log, last } = logTo();
    const cause = Object.assign(new TypeError('inner'), { code: 'ECONNREFUSED', parameters: ['hidden'] });
    log.error({ error: new Error('outer', { cause }) }, 'failed');
    expect(last()).toMatchObject({
      error: {
        name: 'Error',
        message: 'outer',
        stack: expect.stringContaining('log.test.ts'),
        cause: { name: 'TypeError', message: 'inner', code: 'ECONNREFUSED' },
      },
    });
    expect(JSON.stringify(last())).not.toContain('hidden');
  });
});

describe('Redaction (oauth rule 56)', () => {
  it.each([
    'authorization',
    'Authorization',
    'proxy-authorization',
    'cookie',
    'Set-Cookie',
    'secret',
    'client_secret',
    'clientSecret',
    'token',
    'access_token',
    'refreshToken',
    'code',
    'code_verifier',
    'password',
    'newPassword',
    'api-key',
    'X-Api-Key',
    'body',
    'requestBody',
    'response_body',
    'headers',
    'data',
    'payload',
    'X-Optio-Signature',
    'masterKey',
    'privateKey',
  ])('takes out %s, however deep, in children too', (name) => {
    const { log, lines } = logTo();
    log.info({ [name]: 'hidden', a: { b: [{ [name]: { c: 'hidden' } }] } }, 'x');
    log.child({ [name]: 'hidden' }).info({}, 'x');
    expect(lines.join('')).not.toContain('hidden');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ [name]: '[redacted]' });
  });

  it.each([
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: Bearer [redacted]'],
    ['Basic aGlkZGVuOmhpZGRlbg== was sent', 'Basic [redacted] was sent'],
    ['secret whsec_aGlkZGVuaGlkZGVu/+= leaked', 'secret [redacted] leaked'],
    ['jwt eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln end', 'jwt [redacted] end'],
    ['postgres://optio:hunter2@db:5432/optio', 'postgres://[redacted]@db:5432/optio'],
    ['GET /cb?state=1&code=hidden&x=2', 'GET /cb?state=1&code=[redacted]&x=2'],
    ['client_secret=hidden&grant_type=x', 'client_secret=[redacted]&grant_type=x'],
  ])('takes credentials out of the text %s', (text, clean) => {
    const { log, last } = logTo();
    log.error({ note: text, error: new Error(text) }, text);
    expect(last()).toMatchObject({ message: clean, note: clean, error: { message: clean } });
    expect(JSON.stringify(last())).not.toContain(text);
  });

  it.each([
    { response_code: 500, status: 404 },
    { organization_id: 'o1', path: '/api/events', duration_ms: 3 },
    { count: 3, nothing: null, yes: true },
  ])('leaves %j as it is', (fields) => {
    const { log, last } = logTo();
    log.info(fields, 'the code of conduct');
    expect(last()).toMatchObject({ ...fields, message: 'the code of conduct' });
  });

  it('cuts what is endless, deep or circular', () => {
    const { log, last } = logTo();
    const circular: Record<string, unknown> = {
      text: 'x'.repeat(100_000),
      list: Array.from({ length: 1_000 }),
    };
    circular['self'] = circular;
    log.info(circular, 'x');
    expect(JSON.stringify(last()).length).toBeLessThan(100_000);
    log.info({ bytes: Buffer.from('hidden'), big: 10n }, 'x');
    expect(last()).toMatchObject({ bytes: '[bytes]', big: '10' });
  });
});

// oxlint-disable-next-line no-control-regex -- the colours
const plain = (line: string | undefined) => line?.replaceAll(/\u001b\[\d+m/g, '');

describe('The readable form', () => {
  it('is one line: clock, level, message, fields', () => {
    const { log, lines } = logTo({ pretty: true });
    log.info({ method: 'GET', path: '/api/me', note: 'two words', n: 1 }, 'request');
    expect(plain(lines[0])).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} INFO {2}request method=GET path=\/api\/me note="two words" n=1\n$/,
    );
  });

  it('shows the stack of an error and of its cause below', () => {
    const { log, lines } = logTo({ pretty: true });
    log.error({ error: new Error('outer', { cause: new Error('inner') }) }, 'failed');
    expect(plain(lines[0])).toMatch(
      /ERROR failed\n {4}Error: outer\n[^]*\n {2}caused by\n {4}Error: inner\n/,
    );
  });

  it('lets no control character through to the terminal, and no secret', () => {
    const { log, lines } = logTo({ pretty: true });
    log.info({ a: '\u001b[2J', token: 'hidden', b: '\u009b2J' }, 'x\u001b[2Jy\r\n');
    expect(lines[0]).not.toContain('\u001b[2J');
    expect(lines[0]).not.toContain('\u009b');
    expect(lines[0]).not.toContain('\r');
    expect(lines[0]).not.toContain('hidden');
  });
});
