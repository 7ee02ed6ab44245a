/** Who the demo is about: an organization, its people, a client. None of this is secret; production refuses all of it. */
import type { MemberRole } from '../accounts/statements.ts';

export const DEMO_ORGANIZATION = { slug: 'demo-riverside-school', name: 'Riverside School' } as const;

/** Where the built-in receiver is. */
export const RECEIVER_PATH = '/demo/receiver';

/** Of every account of the demo. */
export const DEMO_PASSWORD = 'riverside-demo';

export type DemoAccount = { readonly email: string; readonly name: string; readonly role: MemberRole };

/** One account of each role comes first: those are the ones to try. */
export const DEMO_ACCOUNTS: readonly [DemoAccount, DemoAccount, DemoAccount, ...DemoAccount[]] = [
  person('Maya Okafor', 'ADMIN'),
  person('Daniel Reyes', 'EDUCATOR'),
  person('Ada Lindqvist', 'STUDENT'),
  person('Hannah Weiss', 'EDUCATOR'),
  person('Noah Bennett', 'STUDENT'),
  person('Priya Raman', 'STUDENT'),
  person('Tomas Novak', 'STUDENT'),
  person('Zoe Castellanos', 'STUDENT'),
  person('Samuel Adeyemi', 'STUDENT'),
  person('Ines Moreau', 'STUDENT'),
  person('Kenji Watanabe', 'STUDENT'),
  person('Leila Haddad', 'STUDENT'),
  person('Oscar Nyberg', 'STUDENT'),
  person('Ruby Fletcher', 'STUDENT'),
];

/** Acts for the demo organization with every scope (client_credentials). */
export const DEMO_CLIENT = {
  clientId: 'riverside-demo',
  clientSecret: 'RiversideDemoSecretThatEverybodyKnows00',
  name: 'Riverside LMS',
} as const;

function person(name: string, role: MemberRole): DemoAccount {
  return { email: `${name.split(' ')[0]?.toLowerCase() ?? ''}@riverside.example`, name, role };
}
