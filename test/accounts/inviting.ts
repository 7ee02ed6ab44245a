/** Inviting, for tests of what comes afterwards. */
import { inviteMember, type PeopleContext } from '../../src/accounts/invitation.ts';
import { requestContext } from '../../src/accounts/viewer.ts';
import { newId } from '../../src/lib/ids.ts';
import { createTenancy } from '../../src/platform/database/tenancy.ts';
import { TEST_KEY } from '../support/database.ts';
import type { Site } from './site.ts';

const AN_HOUR = 3_600_000;

/** Invites as an admin of the organization, of its own making; answers the path of the link in the mail. */
export async function inviteTo(site: Site, organizationId: string, email: string): Promise<string> {
  const admin = await site.addUser({ email: `lin-${newId()}@north.example` });
  await site.join(admin, organizationId);
  const tenancy = createTenancy({
    url: site.database.urls.tenantUrl,
    maxConnections: 1,
    onIdleError: () => {},
  });
  const expiresAt = new Date(site.clock.now().getTime() + AN_HOUR);
  const session = { clientId: null, scopes: null, expiresAt, tokenId: null };
  const viewer = { organizationId, role: 'ADMIN', userId: admin.id, ...session } as const;
  const mail = { canSend: true, hurry: () => undefined };
  const context: PeopleContext = {
    ...requestContext(tenancy, viewer),
    clock: site.clock,
    keys: [TEST_KEY],
    mail,
  };
  const link = site.mailbox.nextLink(email);
  await inviteMember(context, { email, name: 'Ada', role: 'EDUCATOR' });
  await tenancy.close();
  return link;
}
