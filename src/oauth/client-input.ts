/** Checks what is asked of a client, and names every fault at once. Paths are in the words of REST. */
import { isScope, SCOPES } from '../accounts/scope.ts';
import { type Fault, validationError } from '../lib/errors.ts';
import type { Client } from './client.ts';
import { CLIENT_PRESETS, findPreset } from './client-preset.ts';
import type { ClientSettings } from './client-settings.ts';
import { findRedirectUriFault } from './redirect-uri.ts';

/** What can be said of a client at any time. */
export type ClientChanges = {
  readonly [K in keyof ClientSettings]?: ClientSettings[K] | undefined;
} & {
  readonly name?: string | undefined;
  readonly homepageUrl?: string | null | undefined;
  readonly policyUrl?: string | null | undefined;
};

export type NewClientInput = ClientChanges & {
  readonly name: string;
  /** Confidential if left out. */
  readonly type?: Client['type'] | undefined;
  /** A name of the presets; fills in what is left out. */
  readonly preset?: string | undefined;
};

export type NewClientSettings = ClientSettings & {
  readonly name: string;
  readonly type: Client['type'];
  readonly preset: string;
  readonly homepageUrl: string | null;
  readonly policyUrl: string | null;
};

/** The grants that a client can be registered for. */
export const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials'] as const;
export const MAX_REDIRECT_URIS = 20;
const MAX_NAME = 100;
const MAX_REASON = 500;
const DEFAULT_SCOPES = ['read'] as const;

/** The whole of what is asked for, with what the preset says where nothing is said. Errors: `VALIDATION`. */
export function parseNewClient(input: NewClientInput): NewClientSettings {
  const preset = findPreset(input.preset ?? 'generic');
  const type = input.type ?? 'CONFIDENTIAL';
  const client = {
    name: input.name.trim(),
    type,
    preset: preset?.name ?? '',
    scopes: distinct(input.scopes ?? DEFAULT_SCOPES),
    redirectUris: distinct(input.redirectUris ?? []),
    grantTypes: distinct(input.grantTypes ?? preset?.grantTypes ?? []),
    requiresPkce: input.requiresPkce ?? (type === 'PUBLIC' || preset?.requiresPkce !== false),
    homepageUrl: input.homepageUrl ?? null,
    policyUrl: input.policyUrl ?? null,
  };
  const presetFaults = preset === undefined ? [fault('preset', `Expected one of ${PRESET_NAMES}.`)] : [];
  refuseFaults([...presetFaults, ...describingFaults(client), ...settingsFaults(client, type)]);
  return client;
}

/** What is wanted after the changes. Errors: `VALIDATION`. */
export function parseChanges(
  wantedBefore: ClientSettings,
  type: Client['type'],
  changes: ClientChanges,
): ClientSettings {
  const wanted = {
    scopes: distinct(changes.scopes ?? wantedBefore.scopes),
    redirectUris: distinct(changes.redirectUris ?? wantedBefore.redirectUris),
    grantTypes: distinct(changes.grantTypes ?? wantedBefore.grantTypes),
    requiresPkce: changes.requiresPkce ?? wantedBefore.requiresPkce,
  };
  refuseFaults([...describingFaults(changes), ...settingsFaults(wanted, type)]);
  return wanted;
}

/** A reason that people are told. Errors: `VALIDATION`. */
export function parseReason(reason: string): string {
  const text = reason.trim();
  refuseFaults(textFaults('reason', text, MAX_REASON));
  return text;
}

const PRESET_NAMES = CLIENT_PRESETS.map(({ name }) => name).join(', ');

function describingFaults({ name, homepageUrl, policyUrl }: ClientChanges): readonly Fault[] {
  return [
    ...(name === undefined ? [] : textFaults('name', name.trim(), MAX_NAME)),
    ...linkFaults('homepage_url', homepageUrl),
    ...linkFaults('policy_url', policyUrl),
  ];
}

function settingsFaults(settings: ClientSettings, type: Client['type']): readonly Fault[] {
  return [
    ...redirectUriFaults(settings, type),
    ...grantFaults(settings, type),
    ...scopeFaults(settings.scopes),
    ...(type === 'PUBLIC' && !settings.requiresPkce
      ? [fault('requires_pkce', 'A public client always needs PKCE.')]
      : []),
  ];
}

function redirectUriFaults(
  { redirectUris, grantTypes }: ClientSettings,
  type: Client['type'],
): readonly Fault[] {
  if (redirectUris.length > MAX_REDIRECT_URIS) {
    return [fault('redirect_uris', `Expected at most ${MAX_REDIRECT_URIS} redirect URIs.`)];
  }
  if (redirectUris.length === 0 && grantTypes.includes('authorization_code')) {
    return [
      fault('redirect_uris', 'Expected at least one redirect URI: authorization codes are sent there.'),
    ];
  }
  return redirectUris.flatMap((uri, index) => {
    const message = findRedirectUriFault(uri, type);
    return message === undefined ? [] : [{ path: ['redirect_uris', index], message }];
  });
}

function grantFaults({ grantTypes }: ClientSettings, type: Client['type']): readonly Fault[] {
  if (grantTypes.length === 0)
    return [fault('grant_types', `Expected at least one of ${GRANT_TYPES.join(', ')}.`)];
  return [
    ...grantTypes.flatMap((grant, index) =>
      GRANT_TYPES.some((known) => known === grant)
        ? []
        : [{ path: ['grant_types', index], message: `Expected one of ${GRANT_TYPES.join(', ')}.` }],
    ),
    ...(grantTypes.includes('refresh_token') && !grantTypes.includes('authorization_code')
      ? [fault('grant_types', 'Refresh tokens come with authorization_code; add that grant.')]
      : []),
    // RFC 6749 4.4.
    ...(grantTypes.includes('client_credentials') && type === 'PUBLIC'
      ? [fault('grant_types', 'client_credentials is for confidential clients only.')]
      : []),
  ];
}

function scopeFaults(scopes: readonly string[]): readonly Fault[] {
  if (scopes.length === 0) return [fault('scopes', 'Expected at least one scope.')];
  return scopes
    .slice(0, SCOPES.length + 1)
    .flatMap((scope, index) =>
      isScope(scope)
        ? []
        : [{ path: ['scopes', index], message: `There is no scope ${JSON.stringify(scope.slice(0, 100))}.` }],
    );
}

/** Shown to people: neither control characters nor what turns the direction of a text around. */
function textFaults(name: string, text: string, most: number): readonly Fault[] {
  if (text.length === 0 || text.length > most) {
    return [fault(name, `Expected 1 to ${most} characters.`)];
  }
  return /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u.test(text)
    ? [fault(name, 'Expected text without control characters.')]
    : [];
}

function linkFaults(name: string, link: string | null | undefined): readonly Fault[] {
  if (link === null || link === undefined) return [];
  const isLink = link.length <= 2_000 && /^[!-~]+$/.test(link) && URL.canParse(link);
  return isLink && new URL(link).protocol === 'https:' ? [] : [fault(name, 'Expected an https URL.')];
}

function fault(name: string, message: string): Fault {
  return { path: [name], message };
}

function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length > 0) throw validationError(faults);
}

function distinct(items: readonly string[]): readonly string[] {
  return [...new Set(items)];
}
