/**
 * The one stylesheet of all pages. It stands in the page itself, allowed by its hash: no second request, and no page of
 * one version that asks another version for its styles while an upgrade rolls.
 */
import { createHash } from 'node:crypto';

export const STYLESHEET = `
:root {
  color-scheme: light dark;
  --canvas: #f5f4f0; --surface: #fff; --ink: #1d1b26; --muted: #5c5968; --line: #e3e0d9; --field: #8a8795;
  --accent: #4338ca; --accent-hover: #372fa8; --on-accent: #fff; --accent-soft: #eeedfb;
  --danger: #b42318; --danger-soft: #fdf1ef; --good: #05603a; --good-soft: #eaf7f0;
  --shadow: 0 1px 2px rgb(29 27 38 / 6%), 0 12px 32px -12px rgb(29 27 38 / 14%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --canvas: #121217; --surface: #1b1b22; --ink: #ecebf2; --muted: #a9a6b8; --line: #302f3a; --field: #767385;
    --accent: #a9b1fb; --accent-hover: #c3c9fd; --on-accent: #1a1846; --accent-soft: #26253d;
    --danger: #fda29b; --danger-soft: #331c1b; --good: #7fdfae; --good-soft: #15291f;
    --shadow: 0 1px 2px rgb(0 0 0 / 40%), 0 16px 40px -16px rgb(0 0 0 / 60%);
  }
}
*, ::before, ::after { box-sizing: border-box; }
html { font: 1rem/1.55 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; min-height: 100vh; min-height: 100svh; display: flex; flex-direction: column; align-items: center;
  padding: 0 1rem 3rem; background: var(--canvas); color: var(--ink); -webkit-font-smoothing: antialiased; }
header { width: 100%; max-width: 44rem; padding: 1.5rem 0 1.25rem; display: flex; align-items: center;
  justify-content: space-between; gap: 1rem; }
.narrow header { max-width: 26rem; padding-top: clamp(2rem, 12vh, 7rem); justify-content: center; }
main { width: 100%; max-width: 44rem; display: grid; gap: 1.25rem; }
.narrow main { max-width: 26rem; }
.brand { display: inline-flex; align-items: center; gap: .625rem; min-height: 2.75rem; color: var(--ink);
  font-weight: 650; font-size: 1.0625rem; letter-spacing: -.01em; text-decoration: none; }
.brand svg { width: 1.75rem; height: 1.75rem; color: var(--accent); }
h1, h2 { margin: 0; line-height: 1.25; letter-spacing: -.015em; text-wrap: balance; font-weight: 650; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.125rem; }
p { margin: 0; text-wrap: pretty; } .muted { color: var(--muted); } .small { font-size: .875rem; }
strong { font-weight: 600; }
a { color: var(--accent); text-underline-offset: .2em; text-decoration-thickness: .08em; }
a:hover { color: var(--accent-hover); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: .375rem; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 1rem; padding: 1.75rem;
  box-shadow: var(--shadow); display: grid; gap: 1.25rem; }
.wide .card { box-shadow: none; }
.lead { display: grid; gap: .375rem; }
form { display: grid; gap: 1.125rem; margin: 0; }
.field { display: grid; gap: .375rem; }
label { font-weight: 550; font-size: .9375rem; padding: 0; }
.hint { color: var(--muted); font-size: .875rem; }
input:not([type=hidden]) { width: 100%; min-height: 2.75rem; padding: .5rem .75rem; font: inherit; color: inherit;
  background: var(--surface); border: 1px solid var(--field); border-radius: .625rem; }
.wide .field { max-width: 24rem; }
input:hover { border-color: var(--muted); }
input:focus-visible { outline-offset: 0; border-color: var(--accent); border-radius: .625rem; }
input[aria-invalid=true] { border-color: var(--danger); box-shadow: inset 0 0 0 1px var(--danger); }
input.code { font: 1.25rem/1.4 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; letter-spacing: .12em; }
.error { color: var(--danger); font-size: .875rem; font-weight: 500; display: flex; gap: .375rem; }
.error svg, .note svg { flex: none; width: 1.125rem; height: 1.125rem; margin-top: .16em; }
.note { display: flex; gap: .625rem; padding: .75rem .875rem; border-radius: .75rem; font-size: .9375rem;
  background: var(--accent-soft); }
.note.bad { background: var(--danger-soft); color: var(--danger); }
.note.good { background: var(--good-soft); color: var(--good); }
.note a { color: inherit; }
button, .button { display: inline-flex; align-items: center; justify-content: center; min-height: 2.75rem;
  padding: .5rem 1.125rem; font: inherit; font-weight: 600; text-decoration: none; color: var(--ink); cursor: pointer;
  background: var(--surface); border: 1px solid var(--field); border-radius: .625rem; }
button:hover, .button:hover { border-color: var(--ink); color: var(--ink); }
button.primary, .button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.primary:hover, .button.primary:hover { background: var(--accent-hover); border-color: var(--accent-hover); color: var(--on-accent); }
button.danger { color: var(--danger); border-color: var(--danger); }
button.danger:hover { background: var(--danger-soft); }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; align-items: center; }
.narrow form button, .narrow .actions .button { width: 100%; }
ul.rows { list-style: none; margin: 0; padding: 0; }
ul.rows > li { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .75rem 1.5rem;
  padding: 1rem 0; border-top: 1px solid var(--line); }
ul.rows > li:first-child { border-top: 0; padding-top: 0; } ul.rows > li:last-child { padding-bottom: 0; }
ul.rows > li > :first-child { flex: 1 1 14rem; min-width: 0; overflow-wrap: anywhere; }
.choice { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; }
ul.scopes { margin: 0; padding: 0; list-style: none; border: 1px solid var(--line); border-radius: .75rem; }
ul.scopes > li { padding: .75rem .875rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
ul.scopes > li:first-child { border-top: 0; }
.rows ul.scopes { margin: .5rem 0; }
.facts { margin: 0; display: grid; gap: .75rem; font-size: .9375rem; } .facts dt { color: var(--muted); font-size: .875rem; }
.facts dd { margin: 0; overflow-wrap: anywhere; } bdi { overflow-wrap: anywhere; }
.tag { display: inline-block; padding: .0625rem .5rem; border-radius: 1rem; background: var(--accent-soft);
  font-size: .8125rem; font-weight: 600; vertical-align: .05em; }
.tag.good { background: var(--good-soft); color: var(--good); }
code, .mono { font: .9375em/1.5 ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
.codes { list-style: none; margin: 0; padding: 1rem; display: grid; gap: .5rem 1.5rem; background: var(--canvas);
  grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); border: 1px solid var(--line); border-radius: .75rem; }
.qr { width: 12.5rem; max-width: 100%; padding: .75rem; background: #fff; border: 1px solid var(--line); border-radius: .75rem; }
.qr svg { display: block; width: 100%; height: auto; }
.beside { display: grid; gap: 1.25rem 1.75rem; align-items: start; }
@media (min-width: 40rem) { .beside { grid-template-columns: auto 1fr; } }
@media (max-width: 30rem) { .card { padding: 1.25rem; } .narrow header { padding-top: 1.5rem; } }
@media (forced-colors: active) { .note, .tag { border: 1px solid; } }
@media print { body { background: #fff; } .card { border: 0; box-shadow: none; } form, .actions { display: none; } }
`;

/** The stylesheet as a source expression of a Content-Security-Policy. */
export const STYLESHEET_SOURCE = `'sha256-${createHash('sha256').update(STYLESHEET).digest('base64')}'`;
