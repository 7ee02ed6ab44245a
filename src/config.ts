/** The environment, checked as a whole and frozen. The only reader of process.env. */
import { z } from 'zod';
import { isOrigin, parsedBy, parsePair, parseUrl } from './config-values.ts';
import { parseCidrs } from './platform/ip-range.ts';
import { parseMailbox, parseSmtpUrl } from './platform/mail/smtp-settings.ts';

/** Every fault of the environment, in one message. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const text = z.string().min(1);
const flag = z.enum(['0', '1'], { error: 'expected 0 or 1' }).transform((value) => value === '1');
const port = z.coerce.number({ error: 'expected a port, 0 to 65535' }).int().min(0).max(65_535);
const TIMEOUT = 'expected milliseconds, 1000 to 30000';
const SECONDS = 'expected seconds like 60,120,240, each from 1 to 86400';
const seconds = z.number({ error: SECONDS }).int().min(1).max(86_400);

const databaseUrl = text.refine((value) => /^postgres(ql)?:$/.test(parseUrl(value)?.protocol ?? ''), {
  error: 'expected a URL like postgres://user:password@host:5432/database',
});
// Pages link to /login and the like, and cookies with the prefix __Host- count for a whole host.
const publicUrl = text
  .refine((value) => isOrigin(value), { error: 'expected an http or https URL without query and fragment' })
  .transform((value) => value.replace(/\/+$/, ''))
  .refine((value) => (parseUrl(value)?.pathname ?? '/') === '/', {
    error:
      'expected a URL without a path, such as https://connect.school.example: it has to be a host of its own',
  });
const cidrs = parsedBy(parseCidrs);
const masterKeys = text.transform((value, context) => {
  const [first, ...others] = value.split(',').map((part) => Buffer.from(part.trim(), 'base64'));
  if (first !== undefined && [first, ...others].every((key) => key.length === 32))
    return [first, ...others] as const;
  context.addIssue({
    code: 'custom',
    message: 'expected 32 bytes in base64 (make one: openssl rand -base64 32)',
  });
  return z.NEVER;
});
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== ''),
);
const origins = list.refine((values) => values.every((value) => parseUrl(value)?.origin === value), {
  error: 'expected origins like https://admin.school.example, separated by commas',
});
const retrySeconds = list
  .transform((values) => values.map(Number))
  .pipe(z.array(seconds, { error: SECONDS }).max(20));
const whole = (what: string, least: number, most: number) => {
  const error = `expected ${what}, ${least} to ${most}`;
  return z.coerce.number({ error }).int({ error }).min(least, { error }).max(most, { error });
};
const days = (least: number, most: number) => whole('days', least, most);
const email = z.email({ error: 'expected an email address' }).transform((value) => value.toLowerCase());
const password = z.string().min(12, { error: 'expected at least 12 characters' }).max(1_024);
const clientId = z
  .string()
  .regex(/^[\x21-\x7e]{1,100}$/, { error: 'expected 1 to 100 visible ASCII characters' });
const clientSecret = z
  .string()
  .regex(/^[A-Za-z0-9]{32,128}$/, { error: 'expected 32 to 128 characters of A-Z a-z 0-9' });

const metricsToken = z
  .string()
  .regex(/^[\x21-\x7e]{16,256}$/, { error: 'expected 16 to 256 visible ASCII characters' });

const collector = text
  .refine((value) => isOrigin(value), { error: 'expected an http or https URL like http://collector:4318' })
  .transform((value) => value.replace(/\/+$/, ''));
const PAIRS = 'expected name=value, separated by commas, values percent-encoded';
const pairs = z.string().transform((value, context) => {
  try {
    return Object.fromEntries(value.split(',').map(parsePair));
  } catch {
    context.addIssue({ code: 'custom', message: PAIRS });
    return z.NEVER;
  }
});
const ratio = z.coerce.number({ error: 'expected a number from 0 to 1' }).min(0).max(1);

const ENVIRONMENT = z.object({
  NODE_ENV: z
    .enum(['development', 'test', 'production'], { error: 'expected development, test or production' })
    .default('development'),
  HOST: text.default('127.0.0.1'),
  PORT: port.default(4_000),
  PUBLIC_URL: publicUrl.optional(),
  DATABASE_URL: databaseUrl.optional(),
  DATABASE_TIMEOUT_MS: z.coerce
    .number({ error: TIMEOUT })
    .int()
    .min(1_000, { error: TIMEOUT })
    .max(30_000, { error: TIMEOUT })
    .default(15_000),
  DATA_DIR: text.default('./.data'),
  ROLE: z.enum(['all', 'api', 'worker'], { error: 'expected all, api or worker' }).default('all'),
  MASTER_KEY: masterKeys.optional(),
  DEMO: flag.optional(),
  BOOTSTRAP_ADMIN_EMAIL: email.default('admin@optio.example'),
  BOOTSTRAP_ADMIN_PASSWORD: password.optional(),
  BOOTSTRAP_CLIENT_ID: clientId.optional(),
  BOOTSTRAP_CLIENT_SECRET: clientSecret.optional(),
  WEBHOOK_ALLOW_CIDRS: cidrs.optional(),
  WEBHOOK_ALLOW_HTTP: flag.optional(),
  WEBHOOK_PROXY_URL: text
    .refine((value) => isOrigin(value), { error: 'expected an http or https URL' })
    .optional(),
  WEBHOOK_RETRY_SECONDS: retrySeconds.default([60, 120, 240, 480, 960]),
  WEBHOOK_TIMEOUT_MS: z.coerce
    .number({ error: 'expected milliseconds, 100 to 60000' })
    .int()
    .min(100)
    .max(60_000)
    .default(10_000),
  WEBHOOK_DISABLE_FAILURES: whole('deliveries', 1, 1_000_000).default(50),
  WEBHOOK_DISABLE_FAILURE_HOURS: whole('hours', 0, 8_760).default(24),
  WEBHOOK_DISABLE_FAILING_DAYS: whole('days', 1, 365).default(5),
  RETENTION_DAYS: days(7, 3_650).default(90),
  BODY_RETENTION_DAYS: days(1, 3_650).optional(),
  UPDATE_LOG_DAYS: days(1, 90).default(7),
  SMTP_URL: parsedBy(parseSmtpUrl).optional(),
  MAIL_FROM: parsedBy(parseMailbox).optional(),
  CORS_ORIGINS: origins.default([]),
  TRUSTED_PROXIES: cidrs.optional(),
  METRICS_TOKEN: metricsToken.optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.optional(),
  OTEL_EXPORTER_OTLP_HEADERS: pairs.default({}),
  OTEL_SERVICE_NAME: text.max(100).default('optio-connect'),
  OTEL_TRACES_SAMPLER_ARG: ratio.default(1),
  REQUIRE_SECOND_FACTOR: flag.optional(),
  GRAPHQL_POINTS_PER_MINUTE: z.coerce
    .number({ error: 'expected points, 1000 to 1000000000' })
    .int()
    .min(1_000)
    .max(1_000_000_000)
    .default(600_000),
  OAUTH_REQUESTS_PER_MINUTE: z.coerce
    .number({ error: 'expected requests, 60 to 10000000' })
    .int()
    .min(60)
    .max(10_000_000)
    .default(3_000),
  OAUTH_SIGNING_ALGORITHM: z.enum(['ES256', 'RS256'], { error: 'expected ES256 or RS256' }).default('ES256'),
  LOG_LEVEL: z
    .enum(['debug', 'info', 'warn', 'error'], { error: 'expected debug, info, warn or error' })
    .default('info'),
});

/** The names of all settings. */
export const SETTINGS: readonly string[] = Object.keys(ENVIRONMENT.shape);

export type Config = ReturnType<typeof readConfig>;

/** Reads the environment. An empty variable counts as unset. Throws ConfigError naming every fault. */
export function readConfig(environment: Readonly<Record<string, string | undefined>>) {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = ENVIRONMENT.safeParse(given);
  const faults = [
    ...(parsed.error?.issues.map(describe) ?? []),
    ...productionFaults(given),
    ...mailFaults(given),
  ];
  if (!parsed.success || faults.length > 0) {
    throw new ConfigError(`The settings do not fit:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  }
  return freeze(parsed.data);
}

type Environment = z.output<typeof ENVIRONMENT>;

const REQUIRED_IN_PRODUCTION = {
  MASTER_KEY: 'required in production (make one: openssl rand -base64 32)',
  PUBLIC_URL: 'required in production: the https URL that clients use',
};

const NO_DEMO =
  'DEMO: expected 0 in production, where accounts with known passwords would be open to anybody';

function productionFaults(given: Readonly<Record<string, unknown>>): readonly string[] {
  if (given['NODE_ENV'] !== 'production') return [];
  const missing = Object.entries(REQUIRED_IN_PRODUCTION)
    .filter(([name]) => given[name] === undefined)
    .map(([name, message]) => `${name}: ${message}`);
  return given['DEMO'] === '1' ? [...missing, NO_DEMO] : missing;
}

function mailFaults(given: Readonly<Record<string, unknown>>): readonly string[] {
  const [url, from] = [given['SMTP_URL'], given['MAIL_FROM']];
  if (url !== undefined && from === undefined)
    return ['MAIL_FROM: required with SMTP_URL: who mails are from'];
  if (url === undefined && from !== undefined)
    return ['SMTP_URL: required with MAIL_FROM: where mails go out'];
  return [];
}

function freeze(env: Environment) {
  const production = env.NODE_ENV === 'production';
  const embedded = env.DATABASE_URL === undefined;
  return Object.freeze({
    production,
    logLevel: env.LOG_LEVEL,
    role: env.ROLE,
    host: env.HOST,
    port: env.PORT,
    /** Undefined: made of the port, once it is known. */
    publicUrl: env.PUBLIC_URL,
    databaseUrl: env.DATABASE_URL,
    /** How long a statement may be without an answer. */
    databaseTimeoutMs: env.DATABASE_TIMEOUT_MS,
    dataDirectory: env.DATA_DIR,
    /** Undefined: generated into the data directory. */
    masterKeys: env.MASTER_KEY,
    demo: env.DEMO ?? (embedded && !production),
    corsOrigins: env.CORS_ORIGINS,
    /** The proxies whose X-Forwarded-For counts. */
    trustedProxies: env.TRUSTED_PROXIES ?? [],
    /** Undefined: the metrics are shown on this machine only. */
    metricsToken: env.METRICS_TOKEN,
    /** Undefined: nothing is traced. */
    tracing: tracingOf(env),
    /** How long history is kept. */
    retention: {
      days: env.RETENTION_DAYS,
      bodyDays: env.BODY_RETENTION_DAYS,
      updateLogDays: env.UPDATE_LOG_DAYS,
    },
    /** Whether admins, of an organization or of the platform, have to have a second factor. */
    requireSecondFactor: env.REQUIRE_SECOND_FACTOR ?? production,
    graphqlPointsPerMinute: env.GRAPHQL_POINTS_PER_MINUTE,
    /** Of a client from one address. */
    oauthRequestsPerMinute: env.OAUTH_REQUESTS_PER_MINUTE,
    /** Of the keys that are made from now on. */
    signingAlgorithm: env.OAUTH_SIGNING_ALGORITHM,
    bootstrap: {
      adminEmail: env.BOOTSTRAP_ADMIN_EMAIL,
      adminPassword: env.BOOTSTRAP_ADMIN_PASSWORD,
      clientId: env.BOOTSTRAP_CLIENT_ID,
      clientSecret: env.BOOTSTRAP_CLIENT_SECRET,
    },
    /** Undefined: there is no mail server; outside production mails are printed on the terminal. */
    smtp:
      env.SMTP_URL === undefined || env.MAIL_FROM === undefined
        ? undefined
        : { server: env.SMTP_URL, from: env.MAIL_FROM },
    webhooks: {
      allow: env.WEBHOOK_ALLOW_CIDRS ?? (embedded && !production ? parseCidrs('127.0.0.0/8,::1/128') : []),
      allowHttp: env.WEBHOOK_ALLOW_HTTP ?? !production,
      proxyUrl: env.WEBHOOK_PROXY_URL,
      retrySeconds: env.WEBHOOK_RETRY_SECONDS,
      timeoutMs: env.WEBHOOK_TIMEOUT_MS,
      /** When a subscription that keeps failing is disabled. */
      health: {
        failures: env.WEBHOOK_DISABLE_FAILURES,
        failureHours: env.WEBHOOK_DISABLE_FAILURE_HOURS,
        failingDays: env.WEBHOOK_DISABLE_FAILING_DAYS,
      },
    },
  });
}

function tracingOf(env: Environment) {
  if (env.OTEL_EXPORTER_OTLP_ENDPOINT === undefined) return undefined;
  return {
    endpoint: env.OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: env.OTEL_EXPORTER_OTLP_HEADERS,
    serviceName: env.OTEL_SERVICE_NAME,
    sampleRatio: env.OTEL_TRACES_SAMPLER_ARG,
  };
}

function describe(issue: z.core.$ZodIssue): string {
  return `${issue.path[0]?.toString() ?? ''}: ${issue.message}`;
}
