import { spawnSync } from 'node:child_process';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { scratchFolder } from '../support/scratch-folder.ts';
import { anchorsOf, readText } from './repository.ts';

const PATH = 'deploy/systemd/optio-connect@.service';
const lines = readText(PATH)
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'));

function valuesOf(name: string): readonly string[] {
  return lines.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1));
}

/** What systemd itself says against the unit; nothing where there is no systemd. */
async function complaints(instance: string): Promise<string> {
  const folder = await scratchFolder('optio-systemd-');
  const unit = join(folder, `optio-connect@${instance}.service`);
  await copyFile(fileURLToPath(new URL(`../../${PATH}`, import.meta.url)), unit);
  const { stdout, stderr, error } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  await rm(folder, { recursive: true });
  // Of this unit; a machine without /usr/bin/node, or with faults in units of its own, is none of our business.
  return error === undefined
    ? `${stdout}${stderr}`
        .split('\n')
        .filter((line) => line.includes('optio-connect') && !line.includes('not executable'))
        .join('\n')
    : '';
}

describe('the systemd unit', () => {
  it('is made of sections and assignments', () => {
    expect(lines.filter((line) => !/^(\[(Unit|Service|Install)\]|[A-Z]\w*=.*)$/.test(line))).toEqual([]);
    expect(lines.filter((line) => line.startsWith('['))).toEqual(['[Unit]', '[Service]', '[Install]']);
  });

  it.each(['api', 'worker'])('passes systemd’s own check as %s', async (instance) => {
    expect(await complaints(instance)).toBe('');
  });

  it('takes its role from its name, and its secrets from files', () => {
    expect(valuesOf('Environment')).toEqual([
      'NODE_ENV=production ROLE=%i NODE_COMPILE_CACHE=%C/optio-connect/%i MALLOC_ARENA_MAX=2',
    ]);
    expect(valuesOf('EnvironmentFile')).toEqual(['/etc/optio-connect/env', '-/etc/optio-connect/%i.env']);
  });

  it('lets the process finish, and starts it again', () => {
    // The process gives itself 75 s.
    expect(Number(valuesOf('TimeoutStopSec')[0])).toBeGreaterThan(75);
    expect(valuesOf('KillSignal')).toEqual(['SIGTERM']);
    expect(valuesOf('Restart')).toEqual(['always']);
  });

  it('names a guide that exists', () => {
    const [documentation = ''] = valuesOf('Documentation');
    expect(anchorsOf(documentation.replace('file:///opt/optio-connect/', ''))).toContain('operations');
  });
});
