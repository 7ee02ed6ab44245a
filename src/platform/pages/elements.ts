/** What pages are made of: forms that carry their token, fields tied to their errors, notes. */
import { html, raw } from 'hono/html';
import { doneIcon, infoIcon, warningIcon } from './icons.ts';
import type { Html } from './page.ts';

/** The name of the hidden field that proves where a form comes from. */
export const FORM_TOKEN_FIELD = 'form_token';

export type FormOptions = {
  /** A path of our own. */
  readonly action: string;
  /** Of `FormTokens.issue`, bound to whoever the form was made for. */
  readonly token: string;
  readonly hidden?: Readonly<Record<string, string>>;
  readonly body: Html;
};

/** A form that posts. */
export function form({ action, token, hidden = {}, body }: FormOptions): Html {
  const fields = Object.entries({ [FORM_TOKEN_FIELD]: token, ...hidden });
  return html`<form method="post" action="${action}">${fields.map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}${body}</form>`;
}

export type FieldOptions = {
  /** Also its id, so it stands once on a page. */
  readonly name: string;
  readonly label: string;
  readonly type?: 'text' | 'email' | 'password';
  /** The token of HTML's autofill that password managers go by. */
  readonly autocomplete: string;
  readonly value?: string;
  readonly hint?: string;
  /** What is wrong with what was sent. */
  readonly error?: string | undefined;
  /** For one-time codes: digits in a row. */
  readonly isCode?: boolean;
  /** Where the page begins; the first field with an error takes it by itself. */
  readonly autofocus?: boolean;
};

/** A required field, with its hint and its error tied to it for screen readers. */
export function field(options: FieldOptions): Html {
  const { name, label, type = 'text', autocomplete, value = '', hint, error } = options;
  const describedBy = [hint && `${name}-hint`, error && `${name}-error`].filter(Boolean).join(' ');
  return html`<div class="field">
<label for="${name}">${label}</label>
${hint === undefined ? '' : html`<span class="hint" id="${name}-hint">${hint}</span>`}
<input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}" value="${value}" required${flag('autofocus', options.autofocus === true || error !== undefined)}${flag('class="code" spellcheck="false" autocapitalize="none"', options.isCode === true)}${describedBy === '' ? '' : html` aria-describedby="${describedBy}"`}${flag('aria-invalid="true"', error !== undefined)}>
${error === undefined ? '' : html`<span class="error" id="${name}-error">${warningIcon()}<span>${error}</span></span>`}
</div>`;
}

/** A button that sends its form. */
export function button(label: string, kind: 'primary' | 'plain' | 'danger' = 'primary'): Html {
  return html`<button type="submit" class="${kind}">${label}</button>`;
}

/** One of several buttons of a form, none of which is put before the others; `value` says which one was pressed. */
export function choice(
  label: string,
  { name, value }: { readonly name: string; readonly value: string },
): Html {
  return html`<button type="submit" class="plain" name="${name}" value="${value}">${label}</button>`;
}

/** Something to be read first: announced by screen readers when it is bad, mentioned when it is good. */
export function note(kind: 'bad' | 'good' | 'plain', text: Html | string): Html {
  const icons = { bad: warningIcon, good: doneIcon, plain: infoIcon };
  return html`<div class="note ${kind}" role="${kind === 'bad' ? 'alert' : 'status'}">${icons[kind]()}<div>${text}</div></div>`;
}

/** A time, for people and for programs; in UTC, since a page without scripts does not know where its reader is. */
export function time(at: Date): Html {
  return html`<time datetime="${at.toISOString()}">${TIME.format(at)} UTC</time>`;
}

const TIME = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });

/** Attributes of our own, never of a request: they are not escaped. */
function flag(text: string, isSet: boolean): Html | string {
  return isSet ? raw(` ${text}`) : '';
}
