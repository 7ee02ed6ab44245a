/**
 * What the LMSs in the field need of a client, as a beginning for whoever registers one. A preset fills in what is left
 * out, and decides nothing: a platform admin sees and approves the settings themselves.
 */

type Preset = {
  readonly label: string;
  readonly grantTypes: readonly string[];
  /** False: what the LMS brings along sends no code_challenge. */
  readonly requiresPkce: boolean;
  readonly redirectUriExample: string;
  readonly hint: string;
};

const OF_PEOPLE = ['authorization_code', 'refresh_token'] as const;

const CATALOGUE = {
  canvas: {
    label: 'Canvas',
    grantTypes: OF_PEOPLE,
    requiresPkce: false,
    redirectUriExample: 'https://canvas.example/login/oauth2/callback',
    hint: 'Canvas sends its secret in the body (client_secret_post) and no PKCE.',
  },
  moodle: {
    label: 'Moodle',
    grantTypes: OF_PEOPLE,
    requiresPkce: false,
    redirectUriExample: 'https://moodle.example/admin/oauth2callback.php',
    hint: "Moodle's OAuth 2 services all return to /admin/oauth2callback.php and send no PKCE.",
  },
  blackboard: {
    label: 'Blackboard',
    grantTypes: OF_PEOPLE,
    requiresPkce: true,
    redirectUriExample: 'https://blackboard.example/optio/callback',
    hint: 'The callback is that of your Building Block or integration server.',
  },
  schoology: {
    label: 'Schoology',
    grantTypes: OF_PEOPLE,
    requiresPkce: true,
    redirectUriExample: 'https://schoology-app.example/optio/callback',
    hint: 'The callback is that of the server behind your Schoology app.',
  },
  google_classroom: {
    label: 'Google Classroom',
    grantTypes: OF_PEOPLE,
    requiresPkce: true,
    redirectUriExample: 'https://classroom-addon.example/optio/callback',
    hint: 'The callback is that of the server behind your Classroom add-on.',
  },
  generic: {
    label: 'Another system',
    grantTypes: OF_PEOPLE,
    requiresPkce: true,
    redirectUriExample: 'https://lms.example/oauth/callback',
    hint: 'Any client that speaks OAuth 2.0 with PKCE (S256).',
  },
} as const satisfies Record<string, Preset>;

export type ClientPresetName = keyof typeof CATALOGUE;
export type ClientPreset = Preset & { readonly name: ClientPresetName };

/** Every preset there is, in the order to offer them in. */
export const CLIENT_PRESETS: readonly ClientPreset[] = Object.entries(CATALOGUE).map(([name, preset]) => ({
  name: name as ClientPresetName, // The keys of CATALOGUE are the names.
  ...preset,
}));

/** The preset of that name; undefined when there is none. */
export function findPreset(name: string): ClientPreset | undefined {
  return CLIENT_PRESETS.find((preset) => preset.name === name);
}
