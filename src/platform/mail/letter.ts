/** What the server's mails look like: a few paragraphs and one link, in plain text and in HTML that loads nothing. */
import type { Mail } from './mail.ts';

export type Letter = {
  readonly to: string;
  readonly subject: string;
  /** What comes before the link. */
  readonly paragraphs: readonly string[];
  readonly link: { readonly label: string; readonly url: string };
  /** What comes after it. */
  readonly notes: readonly string[];
};

/** Makes the mail of a letter. Whatever stands in it is text: nothing in it becomes markup. */
export function writeLetter({ to, subject, paragraphs, link, notes }: Letter): Mail {
  const text = [...paragraphs, `${link.label}:\n${link.url}`, ...notes].join('\n\n');
  const body = [
    ...paragraphs.map((paragraph) => `<p>${escape(paragraph)}</p>`),
    `<p><a href="${escape(link.url)}" style="${BUTTON}">${escape(link.label)}</a></p>`,
    `<p style="${SMALL}">${escape(link.url)}</p>`,
    ...notes.map((note) => `<p style="${SMALL}">${escape(note)}</p>`),
  ];
  return { to, subject, text: `${text}\n`, html: page(subject, body.join('\n')) };
}

// Mail programs know styles on elements only.
const BUTTON =
  'display:inline-block;padding:10px 18px;border-radius:6px;background:#3b3fa4;color:#ffffff;text-decoration:none';
const SMALL = 'color:#55575d;font-size:14px;overflow-wrap:anywhere';
const BODY =
  'margin:0 auto;max-width:36em;padding:24px;font-family:system-ui,sans-serif;font-size:16px;line-height:1.5';

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title></head>
<body style="${BODY}">
${body}
</body>
</html>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
