import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { readConfig } from '../../src/config.ts';
import { knownSettings, readText } from './repository.ts';

const Service = z.object({
  image: z.string(),
  environment: z.record(z.string(), z.string()),
  stop_grace_period: z.string(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  security_opt: z.array(z.string()).optional(),
  ports: z.array(z.string()).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).optional(),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
});
const { services } = z
  .object({ services: z.record(z.string(), Service) })
  .parse(parse(readText('compose.yaml'), { merge: true }));
const ours = ['api', 'worker'].map((name) => Service.parse(services[name]));

const SECRETS = {
  PUBLIC_URL: 'https://connect.school.example',
  MASTER_KEY: Buffer.alloc(32).toString('base64'),
  METRICS_TOKEN: 'token-of-the-operator',
  POSTGRES_PASSWORD: 'of-the-database',
};

/** As compose fills variables in: `${NAME:?message}` and `${NAME:-default}`. */
function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{(\w+)(?::([?-])([^}]*))?\}/g, (_, name: string, kind: string, rest: string) => {
    const value = values[name] ?? '';
    if (value === '' && kind === '?') throw new Error(`${name}: ${rest}`);
    return value === '' ? (rest ?? '') : value;
  });
}

function settingsOf(service: z.infer<typeof Service>, values: Readonly<Record<string, string>>) {
  return Object.fromEntries(
    Object.entries(service.environment).map(([name, text]) => [name, interpolate(text, values)]),
  );
}

describe('compose.yaml', () => {
  it('sets up PostgreSQL, an API process and a worker', () => {
    expect(Object.keys(services)).toEqual(['postgres', 'api', 'worker']);
    expect(services['postgres']?.image).toMatch(/^postgres:\d+$/);
    expect(ours.map(({ environment }) => environment['ROLE'])).toEqual(['api', 'worker']);
  });

  it('gives settings that exist, and that a start in production accepts', () => {
    const known = [...knownSettings(), 'NODE_ENV'];
    for (const service of ours) {
      expect(Object.keys(service.environment).filter((name) => !known.includes(name))).toEqual([]);
      const config = readConfig(settingsOf(service, SECRETS));
      expect(config).toMatchObject({
        production: true,
        databaseUrl: 'postgres://optio:of-the-database@postgres:5432/optio',
      });
    }
  });

  it.each(Object.keys(SECRETS))('does not start without %s, and holds none itself', (name) => {
    const [api] = ours;
    if (api === undefined) throw new Error('There is an API process.');
    expect(() => settingsOf(api, { ...SECRETS, [name]: '' })).toThrow(name);
  });

  it('locks the processes in, and lets them finish', () => {
    for (const service of ours) {
      expect(service).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      });
      expect(service.depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
      // The process gives itself 75 s.
      expect(Number.parseInt(service.stop_grace_period, 10)).toBeGreaterThan(75);
    }
    expect(services['postgres']?.healthcheck?.test).toEqual(
      expect.arrayContaining([expect.stringContaining('pg_isready')]),
    );
  });

  it('opens a port to this machine only', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(ports).toEqual(['127.0.0.1:4000:4000']);
  });
});
