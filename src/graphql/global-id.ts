/** Global ids (Relay): opaque, unique over all types, made of the type's name and the row's id. */

export const NODE_TYPES = [
  'AuditEntry',
  'Badge',
  'ConnectedApp',
  'Delivery',
  'DeliveryAttempt',
  'Enrolment',
  'Event',
  'Invitation',
  'Learner',
  'Membership',
  'OAuthConsent',
  'OAuthClient',
  'Organization',
  'Quest',
  'Replay',
  'Session',
  'Submission',
  'Task',
  'User',
  'WebhookSubscription',
] as const;

export type NodeType = (typeof NODE_TYPES)[number];
export type NodeKey = { readonly type: NodeType; readonly id: string };

/** The global id of a row. */
export function globalId(type: NodeType, id: string): string {
  return Buffer.from(`${type}:${id}`).toString('base64url');
}

/** What a global id stands for; undefined for what is none. */
export function parseGlobalId(text: string): NodeKey | undefined {
  const decoded = Buffer.from(text, 'base64url').toString();
  const separator = decoded.indexOf(':');
  return nodeKey(decoded.slice(0, separator), decoded.slice(separator + 1));
}

/** The key of a row of the type of that name; undefined if there is none. */
export function nodeKey(name: string, id: string): NodeKey | undefined {
  const type = NODE_TYPES.find((candidate) => candidate === name);
  return type === undefined ? undefined : { type, id };
}

/** The row's id in a global id of the type. Anything else is answered as it came: as an id it leads to nothing. */
export function localId(type: NodeType, text: string): string {
  const key = parseGlobalId(text);
  return key?.type === type ? key.id : text;
}
