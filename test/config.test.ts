import { describe, expect, it } from 'vitest';
import { ConfigError, readConfig } from '../src/config.ts';

const KEY = Buffer.alloc(32, 1).toString('base64');
const OLDER_KEY = Buffer.alloc(32, 2).toString('base64');
const PRODUCTION = { NODE_ENV: 'production', MASTER_KEY: KEY, PUBLIC_URL: 'https://connect.optio.example' };
const DATABASE_URL = 'postgres://optio:secret@db.example:5432/optio';

type Variables = Record<string, string | undefined>;

/** The message of the refusal. */
function refusalOf(variables: Variables): string {
  try {
    readConfig(variables);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error(`These settings were taken: ${JSON.stringify(variables)}`);
}

describe('defaults in development', () => {
  it('serve on the loopback interface, with an embedded database, and print what they generate', () => {
    expect(readConfig({})).toMatchObject({
      production: false,
      host: '127.0.0.1',
      port: 4_000,
      publicUrl: undefined,
      databaseUrl: undefined,
      databaseTimeoutMs: 15_000,
      retention: { days: 90, updateLogDays: 7 },
      dataDirectory: './.data',
      role: 'all',
      logLevel: 'info',
      masterKeys: undefined,
      corsOrigins: [],
      trustedProxies: [],
      requireSecondFactor: false,
      graphqlPointsPerMinute: 600_000,
      oauthRequestsPerMinute: 3_000,
      bootstrap: {
        adminEmail: 'admin@optio.example',
        adminPassword: undefined,
        clientId: undefined,
        clientSecret: undefined,
      },
      webhooks: {
        allowHttp: true,
        proxyUrl: undefined,
        retrySeconds: [60, 120, 240, 480, 960],
        timeoutMs: 10_000,
      },
    });
  });

  it.each([
    ['the embedded database', {}, 2],
    ["the operator's database", { DATABASE_URL }, 0],
    ['the embedded database in production', PRODUCTION, 0],
    ["the operator's database in production", { ...PRODUCTION, DATABASE_URL }, 0],
  ])('with %s: targets on the loopback interface only where both are ours', (_name, variables, ranges) => {
    expect(readConfig(variables).webhooks.allow).toHaveLength(ranges);
  });

  it.each([
    ['the embedded database', {}, true],
    ['the embedded database, refused', { DEMO: '0' }, false],
    ["the operator's database", { DATABASE_URL }, false],
    ["the operator's database, asked for", { DATABASE_URL, DEMO: '1' }, true],
    ['the embedded database in production', PRODUCTION, false],
    ['the embedded database in production, refused', { ...PRODUCTION, DEMO: '0' }, false],
  ])('with %s: a demo only where nobody has data of their own', (_name, variables, demo) => {
    expect(readConfig(variables).demo).toBe(demo);
  });

  it('count an empty variable as unset', () => {
    const names = ['PORT', 'DATABASE_URL', 'ROLE', 'MASTER_KEY', 'WEBHOOK_ALLOW_CIDRS', 'NODE_ENV'];
    const empty = Object.fromEntries(names.map((name) => [name, '']));
    expect(readConfig(empty)).toEqual(readConfig({}));
  });

  it('cannot be changed afterwards', () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });
});

describe('defaults in production', () => {
  it('are the strict ones', () => {
    expect(readConfig(PRODUCTION)).toMatchObject({
      production: true,
      requireSecondFactor: true,
      webhooks: { allow: [], allowHttp: false },
    });
  });

  it('can be loosened on purpose', () => {
    const variables = { ...PRODUCTION, WEBHOOK_ALLOW_HTTP: '1', WEBHOOK_ALLOW_CIDRS: '10.1.0.0/16' };
    expect(readConfig({ ...PRODUCTION, REQUIRE_SECOND_FACTOR: '0' }).requireSecondFactor).toBe(false);
    expect(readConfig(variables).webhooks).toMatchObject({ allowHttp: true, allow: [expect.anything()] });
  });

  it('refuse the demo by its name', () => {
    expect(refusalOf({ ...PRODUCTION, DEMO: '1' })).toBe(
      'The settings do not fit:\n  DEMO: expected 0 in production, where accounts with known passwords would be open to anybody',
    );
    expect(refusalOf({ NODE_ENV: 'production', DEMO: '1' }).match(/^ {2}\w+:/gm)).toHaveLength(3);
  });

  it.each(['MASTER_KEY', 'PUBLIC_URL'])('do not include %s, which is required', (name) => {
    expect(refusalOf({ ...PRODUCTION, [name]: undefined })).toContain(`${name}: required in production`);
  });
});

describe('settings that are given', () => {
  it('are taken over', () => {
    const config = readConfig({
      PORT: '0',
      HOST: '0.0.0.0',
      PUBLIC_URL: 'https://connect.optio.example/',
      DATABASE_URL,
      DATABASE_TIMEOUT_MS: '5000',
      RETENTION_DAYS: '365',
      UPDATE_LOG_DAYS: '3',
      DATA_DIR: '/var/lib/optio',
      ROLE: 'worker',
      BOOTSTRAP_ADMIN_EMAIL: 'Head@School.Example',
      BOOTSTRAP_ADMIN_PASSWORD: 'correct horse battery',
      BOOTSTRAP_CLIENT_ID: 'lms',
      BOOTSTRAP_CLIENT_SECRET: 'a1'.repeat(16),
      WEBHOOK_ALLOW_HTTP: '0',
      WEBHOOK_PROXY_URL: 'http://proxy.internal:3128',
      WEBHOOK_RETRY_SECONDS: '1, 5,30',
      WEBHOOK_TIMEOUT_MS: '2500',
      WEBHOOK_DISABLE_FAILURES: '10',
      CORS_ORIGINS: 'https://admin.school.example, http://localhost:5173',
      TRUSTED_PROXIES: '10.1.0.0/16, fd00::/8',
      LOG_LEVEL: 'debug',
    });
    expect(config).toMatchObject({
      port: 0,
      host: '0.0.0.0',
      publicUrl: 'https://connect.optio.example',
      databaseUrl: DATABASE_URL,
      databaseTimeoutMs: 5_000,
      retention: { days: 365, updateLogDays: 3 },
      dataDirectory: '/var/lib/optio',
      role: 'worker',
      bootstrap: {
        adminEmail: 'head@school.example',
        adminPassword: 'correct horse battery',
        clientId: 'lms',
        clientSecret: 'a1'.repeat(16),
      },
      webhooks: {
        allowHttp: false,
        proxyUrl: 'http://proxy.internal:3128',
        retrySeconds: [1, 5, 30],
        timeoutMs: 2_500,
        health: { failures: 10, failureHours: 24, failingDays: 5 },
      },
      corsOrigins: ['https://admin.school.example', 'http://localhost:5173'],
      trustedProxies: [{ prefixLength: 16 }, { prefixLength: 8 }],
      logLevel: 'debug',
    });
  });

  it('may hold several master keys, newest first', () => {
    const { masterKeys } = readConfig({ MASTER_KEY: `${KEY}, ${OLDER_KEY}` });
    expect(masterKeys?.map((key) => key.toString('base64'))).toEqual([KEY, OLDER_KEY]);
  });

  it('may switch retries off altogether', () => {
    expect(readConfig({ WEBHOOK_RETRY_SECONDS: ',' }).webhooks.retrySeconds).toEqual([]);
  });
});

describe('the mail server', () => {
  const SMTP_URL = 'smtps://optio:tops3cr3t@mail.school.example';

  it('is given together with whom mails are from', () => {
    expect(readConfig({ SMTP_URL, MAIL_FROM: 'Optio <no-reply@school.example>' }).smtp).toEqual({
      server: {
        host: 'mail.school.example',
        port: 465,
        tls: 'implicit',
        credentials: { user: 'optio', password: 'tops3cr3t' },
      },
      from: { name: 'Optio', address: 'no-reply@school.example' },
    });
    expect(readConfig({}).smtp).toBeUndefined();
    expect(refusalOf({ SMTP_URL })).toContain('MAIL_FROM: required with SMTP_URL');
    expect(refusalOf({ MAIL_FROM: 'no-reply@school.example' })).toContain(
      'SMTP_URL: required with MAIL_FROM',
    );
  });
});

describe('faults', () => {
  it.each([
    ['NODE_ENV', 'staging', 'development, test or production'],
    ['PORT', 'http', 'a port, 0 to 65535'],
    ['PORT', '65536', '65535'],
    ['PORT', '-1', '0'],
    ['PORT', '80.5', 'a port, 0 to 65535'],
    ['PUBLIC_URL', 'connect.optio.example', 'http or https URL'],
    ['PUBLIC_URL', 'https://connect.optio.example/?a=1', 'without query and fragment'],
    ['PUBLIC_URL', 'https://connect.optio.example/base', 'without a path'],
    ['PUBLIC_URL', 'https://user@connect.optio.example', 'http or https URL'],
    ['DATABASE_URL', 'mysql://db.example/optio', 'postgres://user:password@host:5432/database'],
    ['DATABASE_TIMEOUT_MS', '999', 'expected milliseconds, 1000 to 30000'],
    ['DATABASE_TIMEOUT_MS', '30001', 'expected milliseconds, 1000 to 30000'],
    ['RETENTION_DAYS', '6', 'expected days, 7 to 3650'],
    ['RETENTION_DAYS', '1.5', 'expected days, 7 to 3650'],
    ['UPDATE_LOG_DAYS', '91', 'expected days, 1 to 90'],
    ['DATABASE_URL', 'db.example', 'postgres://user:password@host:5432/database'],
    ['ROLE', 'scheduler', 'all, api or worker'],
    ['MASTER_KEY', 'c2hvcnQ=', '32 bytes in base64'],
    ['MASTER_KEY', `${KEY},c2hvcnQ=`, '32 bytes in base64'],
    ['DEMO', 'yes', '0 or 1'],
    ['BOOTSTRAP_ADMIN_EMAIL', 'admin', 'an email address'],
    ['BOOTSTRAP_ADMIN_PASSWORD', 'short', 'at least 12 characters'],
    ['BOOTSTRAP_CLIENT_ID', 'with space', 'visible ASCII'],
    ['BOOTSTRAP_CLIENT_SECRET', 'too-short', '32 to 128 characters'],
    ['WEBHOOK_ALLOW_CIDRS', '10.0.0.0/33', '10.0.0.0/33'],
    ['WEBHOOK_ALLOW_HTTP', 'yes', '0 or 1'],
    ['WEBHOOK_PROXY_URL', 'socks5://proxy.internal', 'http or https URL'],
    ['WEBHOOK_RETRY_SECONDS', '60,soon', 'seconds like 60,120,240'],
    ['WEBHOOK_RETRY_SECONDS', '0', 'from 1 to 86400'],
    ['WEBHOOK_RETRY_SECONDS', '86401', 'from 1 to 86400'],
    ['WEBHOOK_DISABLE_FAILURES', '0', 'deliveries, 1 to 1000000'],
    ['WEBHOOK_DISABLE_FAILURE_HOURS', '-1', 'hours, 0 to 8760'],
    ['WEBHOOK_DISABLE_FAILING_DAYS', '1.5', 'days, 1 to 365'],
    ['WEBHOOK_TIMEOUT_MS', 'long', 'milliseconds'],
    ['WEBHOOK_TIMEOUT_MS', '60001', '100 to 60000'],
    ['SMTP_URL', 'mail.school.example', 'a URL like smtps://'],
    ['SMTP_URL', 'smtp://user:password@mail.school.example?tls=off', 'never sent in clear'],
    ['MAIL_FROM', 'Optio', 'an address like no-reply@school.example'],
    ['CORS_ORIGINS', 'https://admin.school.example/path', 'origins like'],
    ['CORS_ORIGINS', '*', 'origins like'],
    ['TRUSTED_PROXIES', 'proxy.internal', 'address ranges such as'],
    ['TRUSTED_PROXIES', '10.0.0.1/8', 'no bits beyond the prefix'],
    ['METRICS_TOKEN', 'too-short', '16 to 256 visible'],
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', 'http or https URL'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization', 'name=value'],
    ['OTEL_TRACES_SAMPLER_ARG', '2', 'number from 0 to 1'],
    ['LOG_LEVEL', 'verbose', 'debug, info, warn or error'],
  ])('%s=%s is refused with its name and what is expected', (name, value, expected) => {
    const message = refusalOf({ [name]: value });
    expect(message).toMatch(new RegExp(`^The settings do not fit:\n {2}${name}: `));
    expect(message).toContain(expected);
  });

  it('come all in one message', () => {
    const lines = refusalOf({ PORT: 'http', ROLE: 'scheduler', MASTER_KEY: 'x', CORS_ORIGINS: '*' }).split(
      '\n',
    );
    expect(lines.map((line) => line.split(':')[0]?.trim())).toEqual([
      'The settings do not fit',
      'PORT',
      'ROLE',
      'MASTER_KEY',
      'CORS_ORIGINS',
    ]);
  });

  it('are told together with what production requires', () => {
    const message = refusalOf({ NODE_ENV: 'production', PORT: 'http' });
    expect(message).toContain('PORT: ');
    expect(message).toContain('MASTER_KEY: required in production');
  });

  it.each(['MASTER_KEY', 'BOOTSTRAP_ADMIN_PASSWORD', 'BOOTSTRAP_CLIENT_SECRET', 'DATABASE_URL', 'SMTP_URL'])(
    'never repeat the value of %s, which is secret',
    (name) => {
      expect(refusalOf({ [name]: 'tops3cr3t' })).not.toContain('tops3cr3t');
    },
  );
});

describe('tracing', () => {
  it('is off unless there is somewhere to send it', () => {
    expect(readConfig({ OTEL_SERVICE_NAME: 'optio' }).tracing).toBeUndefined();
  });

  it('takes headers as OpenTelemetry writes them', () => {
    const { tracing } = readConfig({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20a%2Cb, x-tenant = north',
      OTEL_TRACES_SAMPLER_ARG: '0.1',
    });
    expect(tracing).toEqual({
      endpoint: 'http://collector:4318',
      headers: { authorization: 'Bearer a,b', 'x-tenant': 'north' },
      serviceName: 'optio-connect',
      sampleRatio: 0.1,
    });
  });
});
