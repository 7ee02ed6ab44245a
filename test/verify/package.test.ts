/** optio-connect/verify as a receiver installs it: packed, without dependencies, with types (webhooks rule 26). */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { generateSecret, parseSecret, signatureHeaders } from '../../src/webhooks/signature.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
let installed: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'optio-packed-'));
  installed = join(folder, 'node_modules/optio-connect');
  const { stdout } = await run('npm', ['pack', join(ROOT, 'verify'), '--pack-destination', folder, '--json']);
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]; // As npm prints it.
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', join(folder, filename), '-C', installed, '--strip-components=1']);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
});
afterAll(() => rm(folder, { recursive: true }));

describe('the package of the verifiers', () => {
  it('has the version of the server, needs nothing, and runs on Node 18', async () => {
    const manifest: unknown = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({ version: packageJson.version, engines: { node: '>=18' } });
    expect(manifest).not.toHaveProperty('dependencies');
    const source = await readFile(join(installed, 'index.js'), 'utf8');
    const imports = [...source.matchAll(/from '([^']+)'/g)].map(([, name]) => name);
    expect(imports).toEqual(['node:crypto']);
  });

  it('is imported by its name, as the guide does', async () => {
    const secret = generateSecret();
    const body = '{"event":"badge.earned","data":{}}';
    const timestampSeconds = Math.floor(Date.now() / 1_000);
    const secrets = [parseSecret(secret)];
    const headers = signatureHeaders({
      body: Buffer.from(body),
      deliveryId: 'd-1',
      timestampSeconds,
      secrets,
    });
    await writeFile(
      join(folder, 'receive.js'),
      `import { verifyWebhook, verifyWebhookSignature, WebhookVerificationError } from 'optio-connect/verify';
       const [body, headers, secret] = JSON.parse(process.argv[2]);
       const refused = (act) => { try { act(); } catch (error) { return error instanceof WebhookVerificationError; } };
       console.log(JSON.stringify([
         verifyWebhook(body, headers, secret),
         verifyWebhookSignature(body, headers['X-Optio-Signature'], secret),
         refused(() => verifyWebhook(body + ' ', headers, secret)),
       ]));`,
    );
    const { stdout } = await run(process.execPath, ['receive.js', JSON.stringify([body, headers, secret])], {
      cwd: folder,
    });
    expect(JSON.parse(stdout)).toEqual([{ event: 'badge.earned', data: {} }, true, true]);
  });

  it('has types that fit what Node and the web hand over', async () => {
    await writeFile(
      join(folder, 'receive.ts'),
      `import { verifyWebhook, verifyWebhookSignature, WebhookVerificationError } from 'optio-connect/verify';
       const headers: Record<string, string | string[] | undefined> = {};
       const parsed: unknown = verifyWebhook(new Uint8Array(), headers, 's', { toleranceSeconds: 60 });
       const again: unknown = verifyWebhook('', new Headers(), 's');
       const ok: true = verifyWebhookSignature('', undefined, 's');
       const error: Error = new WebhookVerificationError(String([parsed, again, ok]));
       // @ts-expect-error A parsed body cannot be verified.
       verifyWebhook({}, headers, 's');
       export { error };`,
    );
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'es2022,dom',
      '--types',
      '',
    ];
    const { stdout } = await run(join(ROOT, 'node_modules/.bin/tsc'), [...options, 'receive.ts'], {
      cwd: folder,
    });
    expect(stdout).toBe('');
  });
});
