import { describe, expect, it, test } from 'vitest';
import { writeLetter } from '../../../src/platform/mail/letter.ts';
import { assertSendable, isMailAddress, MailRefused } from '../../../src/platform/mail/mail.ts';
import { createTerminalTransport } from '../../../src/platform/mail/terminal-transport.ts';

describe('an address that mail is sent to', () => {
  it.each([
    'ada@school.example',
    "o'neil+lms@school.example",
    'a@b',
    'first.last@a-b.school.example',
    'jürgen@münchen.example',
    '用户@例子.广告',
    `${'x'.repeat(64)}@school.example`,
  ])('%s', (address) => {
    expect(isMailAddress(address)).toBe(true);
  });

  it.each([
    '',
    'ada',
    '@school.example',
    'ada@',
    'ada@school@example',
    'ada @school.example',
    'ada@school.example\r\nRCPT TO:<eve@evil.example>',
    'ada@school.example> SIZE=1',
    '<ada@school.example>',
    '"ada eve"@school.example',
    'ada,eve@school.example',
    'ada@school.example,eve@evil.example',
    'ada@[127.0.0.1]',
    '.ada@school.example',
    'ada..eve@school.example',
    'ada@-school.example',
    'ada@school..example',
    'ada@school.example\0',
    `${'x'.repeat(65)}@school.example`,
    `ada@${'x.'.repeat(130)}example`,
  ])('not %j', (address) => {
    expect(isMailAddress(address)).toBe(false);
  });

  it('is looked at in linear time', () => {
    const long = `${'a.'.repeat(32)}@${'a-'.repeat(2_000)}`;
    const before = process.cpuUsage();
    expect(isMailAddress(long)).toBe(false);
    expect(isMailAddress(`a@${'a-'.repeat(120)}`)).toBe(false);
    // Of this process alone, however busy the machine is.
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000);
  });
});

describe('a subject', () => {
  it.each(['', 'one\r\nBcc: all@school.example', 'two\nlines', 'tab\t', 'a\u2028b', 'x'.repeat(201)])(
    'is one line of a subject’s length: not %j',
    (subject) => {
      expect(() => assertSendable({ to: 'ada@school.example', subject })).toThrow(MailRefused);
    },
  );
});

const LETTER = {
  to: 'ada@school.example',
  subject: 'An invitation to <b>R&D</b>',
  paragraphs: ['"<script>alert(1)</script>" invites you & yours.'],
  link: { label: 'Accept', url: 'https://optio.example/invitation?token=abc&x=1' },
  notes: ["It's good for 7 days."],
};

describe('a letter', () => {
  it('says the same in plain text', () => {
    expect(writeLetter(LETTER).text).toBe(
      [
        '"<script>alert(1)</script>" invites you & yours.',
        'Accept:\nhttps://optio.example/invitation?token=abc&x=1',
        "It's good for 7 days.\n",
      ].join('\n\n'),
    );
  });

  it('and in HTML, where nothing of it becomes markup and nothing is loaded', () => {
    const { html } = writeLetter(LETTER);
    expect(html).toContain(
      '<p>&quot;&lt;script&gt;alert(1)&lt;/script&gt;&quot; invites you &amp; yours.</p>',
    );
    expect(html).toContain('<a href="https://optio.example/invitation?token=abc&amp;x=1"');
    expect(html).toContain('<title>An invitation to &lt;b&gt;R&amp;D&lt;/b&gt;</title>');
    expect(html).not.toMatch(/<script|<img|src=|@import|url\(/);
  });
});

test('in development a mail is printed with its link, and moves no cursor', async () => {
  const written: string[] = [];
  const { send } = createTerminalTransport((text) => void written.push(text));
  await send({ ...writeLetter(LETTER), text: 'Accept:\nhttps://optio.example/x?token=abc\u001b[2J\n' }, 'id');
  expect(written.join('')).toContain('Mail for ada@school.example: An invitation to');
  expect(written.join('')).toContain('https://optio.example/x?token=abc?[2J\n');
});
