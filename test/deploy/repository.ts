/** What the tests of deployment files read. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A file by its path from the root. */
export function readText(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
}

/** Every setting there is, as .env.example explains it. */
export function knownSettings(): readonly string[] {
  return [...readText('.env.example').matchAll(/^#?([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name);
}

/** The anchors of a guide, as they are made of its headings. */
export function anchorsOf(path: string): readonly string[] {
  return [...readText(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .trim()
      .replace(/\s+/g, '-'),
  );
}
