import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readText } from './repository.ts';

type Instruction = { readonly keyword: string; readonly rest: string };

/** The instructions of the Dockerfile by stage; lines that are continued are one. */
function stagesOf(text: string): readonly (readonly Instruction[])[] {
  const stages: Instruction[][] = [];
  const lines = text.replace(/\\\n\s*/g, ' ').split('\n');
  for (const line of lines) {
    const [, keyword = '', rest = ''] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    if (keyword === 'FROM') stages.push([]);
    if (keyword !== '' && stages.length > 0) stages.at(-1)?.push({ keyword, rest });
  }
  return stages;
}

const dockerfile = readText('Dockerfile');
const stages = stagesOf(dockerfile);
const last = stages.at(-1) ?? [];
const all = (keyword: string, stage = last) =>
  stage.filter((one) => one.keyword === keyword).map(({ rest }) => rest);

/** What COPY takes from the repository, not from another stage. */
const copied = stages
  .flatMap((stage) => all('COPY', stage))
  .filter((rest) => !rest.startsWith('--from'))
  .flatMap((rest) => rest.split(' ').slice(0, -1));

describe('the Dockerfile', () => {
  it('holds only lines that are instructions, comments or empty', () => {
    const lines = dockerfile.replace(/\\\n\s*/g, ' ').split('\n');
    expect(
      lines.filter(
        (line) =>
          !/^($|#|(ARG|FROM|WORKDIR|COPY|RUN|ENV|USER|EXPOSE|STOPSIGNAL|HEALTHCHECK|CMD) )/.test(line),
      ),
    ).toEqual([]);
  });

  it('has one base image, of the Node that package.json asks for', () => {
    expect(stages.flatMap((stage) => all('FROM', stage)).map((rest) => rest.split(' ')[0])).toEqual([
      '${NODE_IMAGE}',
      '${NODE_IMAGE}',
      '${NODE_IMAGE}',
    ]);
    const [, major] = /^ARG NODE_IMAGE=node:(\d+)-/m.exec(dockerfile) ?? [];
    const { engines } = JSON.parse(readText('package.json')) as { engines: { node: string } }; // As npm has it.
    expect(engines.node).toBe(`>=${major}`);
  });

  it('copies what is there, and what .dockerignore lets through', () => {
    const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
    const allowed = readText('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    expect(copied).toContain('src');
    expect(copied.filter((path) => !existsSync(root(path)))).toEqual([]);
    expect(copied.filter((path) => !allowed.includes(path))).toEqual([]);
    expect(allowed.filter((path) => !copied.includes(path))).toEqual([]);
  });

  it('keeps secrets and data out of what is sent to the builder', () => {
    const [first] = readText('.dockerignore')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first).toBe('*');
  });

  it('runs as who owns nothing, stops by SIGTERM and says whether it is alive', () => {
    expect(all('USER')).toEqual(['node']);
    expect(last.findIndex(({ keyword }) => keyword === 'USER')).toBeGreaterThan(
      last.findLastIndex(({ keyword }) => keyword === 'COPY'),
    );
    expect(all('STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(all('HEALTHCHECK')[0]).toContain('/healthz');
    expect(JSON.parse(all('CMD')[0] ?? '')).toEqual(['node', expect.any(String), 'src/main.ts']);
  });

  it('has a health check that says what /healthz says', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/healthz' ? 200 : 404).end();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo; // It listens on a port.
    expect(await runHealthCheck(port)).toBe(0);
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
    expect(await runHealthCheck(port)).toBe(1);
  });
});

/** Runs it as a container would; answers the exit code. */
async function runHealthCheck(port: number): Promise<unknown> {
  const [, command = ''] = /CMD (\[.*\])$/.exec(all('HEALTHCHECK')[0] ?? '') ?? [];
  const [program, ...args] = z.array(z.string()).parse(JSON.parse(command));
  if (program !== 'node') throw new Error(`Expected node, not ${program}.`);
  const child = spawn(process.execPath, args, { env: { PORT: String(port) }, stdio: 'ignore' });
  const [code]: unknown[] = await once(child, 'exit');
  return code;
}
