/** The closed catalogue of what the audit log records. docs/guides/audit.md tells what each entry holds. */

const CATALOGUE = {
  'organization.created': 'An organization was created.',
  'organization.retention_changed': 'For how long an organization keeps its history was changed.',
  'platform_admin.granted': 'A person became an admin of the platform.',

  'session.started': 'A person signed in.',
  'session.refused': 'A sign-in was refused: wrong password or code.',
  'session.ended': 'A person signed out, or a session was ended.',
  'session.organization_switched': 'A person went on in another organization.',
  'password.changed': 'A person changed their password.',
  'password.reset_requested': 'A link to reset a password was asked for.',
  'password.reset': 'A password was set by a link that was mailed.',
  'second_factor.enabled': 'A person set up a second factor.',
  'second_factor.disabled': 'A person took away their second factor.',
  'second_factor.reset': 'The second factor of a person was taken away by an admin or the operator.',
  'second_factor.recovery_code_used': 'A person signed in with a recovery code.',
  'second_factor.recovery_codes_renewed': 'A person made new recovery codes.',

  'member.invited': 'A person was invited into the organization.',
  'member.invitation_resent': 'An invitation was mailed again.',
  'member.invitation_withdrawn': 'An invitation was withdrawn.',
  'member.joined': 'A person became a member of the organization.',
  'member.role_changed': 'A member got another role.',
  'member.removed': 'A member was removed from the organization.',

  'oauth_client.registered': 'An OAuth client was registered.',
  'oauth_client.updated': 'The settings of an OAuth client were changed.',
  'oauth_client.approved': 'An OAuth client was approved.',
  'oauth_client.rejected': 'An OAuth client was rejected.',
  'oauth_client.suspended': 'An OAuth client was suspended.',
  'oauth_client.resumed': 'A suspended OAuth client may go on.',
  'oauth_client.deleted': 'An OAuth client was deleted.',
  'oauth_client.secret_rotated': 'An OAuth client got a new secret.',
  'oauth_client.overlap_ended': 'The old secret of an OAuth client was ended before its time.',
  'oauth_client.refused': 'An OAuth client was refused: wrong secret.',
  'oauth_consent.given': 'A person allowed an app to act for them.',
  'oauth_consent.revoked': 'A person disconnected an app.',
  'oauth_grant.revoked': 'The tokens of one authorization were revoked.',
  'oauth_grant.reuse_detected':
    'A code or refresh token was used again; the tokens of its authorization were revoked.',
  'signing_key.created': 'A key that signs access tokens was made.',
  'signing_key.hastened': 'A key that waits for its time was told to sign sooner.',
  'signing_key.retired': 'A key that signed access tokens was given an end.',

  'webhook_subscription.created': 'A webhook subscription was created.',
  'webhook_subscription.updated': 'The settings of a webhook subscription were changed.',
  'webhook_subscription.paused': 'A webhook subscription was paused.',
  'webhook_subscription.resumed': 'A webhook subscription was resumed.',
  'webhook_subscription.disabled': 'A webhook subscription was disabled because of how its target answers.',
  'webhook_subscription.deleted': 'A webhook subscription was deleted.',
  'webhook_subscription.secret_rotated': 'A webhook subscription got a new secret.',
  'webhook_subscription.tested': 'A test event was sent to a webhook subscription.',
  'delivery.retried': 'A delivery was sent again.',
  'delivery.cancelled': 'A delivery was cancelled.',
  'delivery.replayed': 'A delivery was replayed: a new one was made of the same event.',
  'replay.started': 'A replay of deliveries or events was started.',
  'replay.cancelled': 'A replay was cancelled.',

  'grade.recorded': 'A grade was recorded, or changed.',
} as const satisfies Readonly<Record<`${string}.${string}`, string>>;

export type AuditAction = keyof typeof CATALOGUE;
export type AuditActionInfo = { readonly name: AuditAction; readonly description: string };

/** Every action there is, by subject. */
export const AUDIT_ACTIONS: readonly AuditActionInfo[] = Object.entries(CATALOGUE).map(
  ([name, description]) => ({ name: name as AuditAction, description }), // The keys of CATALOGUE are the actions.
);

export function isAuditAction(text: string): text is AuditAction {
  return Object.hasOwn(CATALOGUE, text);
}
