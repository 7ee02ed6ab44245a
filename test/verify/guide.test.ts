/** The code of docs/guides/verify.md, run by each language that is on this machine (webhooks rules 23, 24 and 26). */
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSecret, parseSecret, signatureHeaders } from '../../src/webhooks/signature.ts';

const guide = readFileSync(new URL('../../docs/guides/verify.md', import.meta.url), 'utf8');
const codeIn = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(guide)?.[1] ?? '';

type Language = {
  readonly name: string;
  /** Tells that it is here. */
  readonly probe: readonly string[];
  readonly file: string;
  readonly run: readonly string[];
  /**
   * After the code of the guide: calls it for every six arguments (id, timestamp, signatures, X-Optio-Signature, secret,
   * body in base64) and prints a line.
   */
  readonly call: string;
};

/** Without a runtime on it a machine cannot run them; which do is the first test. Node.js is in package.test.ts. */
const LANGUAGES: readonly Language[] = [
  {
    name: 'python',
    probe: ['python3', '--version'],
    file: 'verify.py',
    run: ['python3', 'verify.py'],
    call: `
import sys
for at in range(1, len(sys.argv), 6):
    id, timestamp, signatures, signature, secret, encoded = sys.argv[at : at + 6]
    body = base64.b64decode(encoded)
    try:
        if signature:
            verify_webhook_signature(body, signature, secret)
        else:
            verify_webhook(body, {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures}, secret)
        print("taken")
    except ValueError as error:
        print(error)
`,
  },
  {
    name: 'php',
    probe: ['php', '--version'],
    file: 'verify.php',
    run: ['php', 'verify.php'],
    call: `
foreach (array_chunk(array_slice($argv, 1), 6) as [$id, $timestamp, $signatures, $signature, $secret, $encoded]) {
    $body = base64_decode($encoded);
    try {
        if ($signature !== '') {
            verifyWebhookSignature($body, $signature, $secret);
        } else {
            verifyWebhook($body, ['webhook-id' => $id, 'webhook-timestamp' => $timestamp, 'webhook-signature' => $signatures], $secret);
        }
        echo "taken\\n";
    } catch (RuntimeException $error) {
        echo $error->getMessage(), "\\n";
    }
}
`,
  },
  {
    name: 'ruby',
    probe: ['ruby', '--version'],
    file: 'verify.rb',
    run: ['ruby', 'verify.rb'],
    call: `
ARGV.each_slice(6) do |id, timestamp, signatures, signature, secret, encoded|
  body = encoded.unpack1("m0")
  begin
    if signature.empty?
      verify_webhook(body, { "webhook-id" => id, "webhook-timestamp" => timestamp, "webhook-signature" => signatures }, secret)
    else
      verify_webhook_signature(body, signature, secret)
    end
    puts "taken"
  rescue ArgumentError => error
    puts error.message
  end
end
`,
  },
  {
    name: 'java',
    probe: ['java', '-version'],
    file: 'Main.java',
    run: ['java', '-Xshare:auto', '-XX:TieredStopAtLevel=1', 'Main.java'],
    call: `
class Main {
  public static void main(String[] given) throws Exception {
    for (int at = 0; at < given.length; at += 6) {
      byte[] body = Base64.getDecoder().decode(given[at + 5]);
      try {
        if (given[at + 3].isEmpty()) {
          Webhooks.verifyWebhook(body, given[at], given[at + 1], given[at + 2], given[at + 4]);
        } else {
          Webhooks.verifyWebhookSignature(body, given[at + 3], given[at + 4]);
        }
        System.out.println("taken");
      } catch (SecurityException error) {
        System.out.println(error.getMessage());
      }
    }
  }
}
`,
  },
];

const isHere = ({ probe: [command = '', ...args] }: Language): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;
const HERE = LANGUAGES.filter(isHere);

const SECRET = generateSecret();
const OTHER = generateSecret();
const BODY = '{"event":"badge.earned","data":{"badge_name":"Über 🏅"}}';

/** The arguments of a call: those of a delivery that was signed just now, changed. */
function given({ secrets = [SECRET], ageSeconds = 0, secret = SECRET, ...change }: Partial<Case>) {
  const timestampSeconds = Math.floor(Date.now() / 1_000) - ageSeconds;
  const parsed = secrets.map(parseSecret);
  const headers = signatureHeaders({
    body: Buffer.from(BODY),
    deliveryId: 'd-1',
    timestampSeconds,
    secrets: parsed,
  });
  const signatures = change.signatures ?? headers['webhook-signature'];
  const timestamp = change.timestamp ?? headers['webhook-timestamp'];
  const plain = change.plain?.(headers['X-Optio-Signature']) ?? '';
  const body = Buffer.from(change.body ?? BODY).toString('base64');
  return ['d-1', timestamp, signatures, plain, secret, body];
}

type Case = {
  readonly secrets: readonly string[];
  readonly ageSeconds: number;
  readonly secret: string;
  readonly body: string;
  readonly timestamp: string;
  readonly signatures: string;
  /** X-Optio-Signature, made of the right one; left out: Standard Webhooks. */
  readonly plain: (right: string) => string;
};

const TAKEN = 'taken';
const OFF = 'The timestamp is missing, or too far off.';
const NO_MATCH = 'The signature does not match.';

const CASES: readonly (readonly [name: string, change: Partial<Case>, said: string])[] = [
  ['what was signed', {}, TAKEN],
  ['the older secret while it is rotated', { secrets: [OTHER, SECRET] }, TAKEN],
  ['four minutes', { ageSeconds: 240 }, TAKEN],
  ['six minutes', { ageSeconds: 360 }, OFF],
  ['the future', { ageSeconds: -360 }, OFF],
  ['no timestamp', { timestamp: '' }, OFF],
  ['a timestamp that is none', { timestamp: '1e9' }, OFF],
  ['another body', { body: BODY.replace('Über', 'Uber') }, NO_MATCH],
  ['another secret', { secret: OTHER }, NO_MATCH],
  ['no signature', { signatures: '' }, NO_MATCH],
  ['another version', { signatures: 'v2,abc' }, NO_MATCH],
  ['X-Optio-Signature', { plain: (right) => right }, TAKEN],
  ['X-Optio-Signature of another body', { plain: (right) => right, body: '{}' }, NO_MATCH],
  ['X-Optio-Signature in capitals', { plain: (right) => right.toUpperCase() }, NO_MATCH],
  ['X-Optio-Signature cut off', { plain: (right) => right.slice(0, -1) }, NO_MATCH],
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'optio-verify-'));
  for (const { name, file, call } of LANGUAGES) {
    const code = codeIn(name);
    // Java starts the first class of a file.
    const whole = name === 'java' ? code.replace('final class', `${call}\nfinal class`) : code + call;
    await writeFile(join(folder, file), whole);
  }
});
afterAll(() => rm(folder, { recursive: true }));

async function run({ run: [command = '', ...first] }: Language): Promise<readonly string[]> {
  const args = CASES.flatMap(([, change]) => given(change));
  const { stdout } = await promisify(execFile)(command, [...first, ...args], { cwd: folder });
  return stdout.trim().split(/\r?\n/);
}

describe('docs/guides/verify.md', () => {
  it('has code in five languages; those on this machine are run', ({ annotate }) => {
    for (const language of ['js', ...LANGUAGES.map(({ name }) => name)])
      expect(codeIn(language)).not.toBe('');
    const names = HERE.map(({ name }) => name);
    const missing = LANGUAGES.map(({ name }) => name).filter((name) => !names.includes(name));
    return annotate(`run: node ${names.join(' ')}; not on this machine: ${missing.join(' ')}`);
  });

  it.each(HERE)(
    '$name takes what is ours and refuses the rest (webhooks rules 23, 24, 26)',
    async (language) => {
      const said = await run(language);
      expect(CASES.map(([name], index) => [name, said[index]])).toEqual(
        CASES.map(([name, , expected]) => [name, expected]),
      );
    },
    120_000,
  );
});
