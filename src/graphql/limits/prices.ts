/**
 * What fields cost, in points: one for each object of an answer, and here what is dearer. A point stands for at most
 * 5 KiB of the answer, or for a few hundred index entries that are read.
 */

/** With how many items a list of objects is reckoned whose size no argument says, by `Type.field`. */
export const LIST_SIZES: Readonly<Record<string, number>> = {
  'AuditEntry.changes': 10,
  'CompleteTaskPayload.badgesEarned': 3,
  'DeliveryAttempt.requestHeaders': 10,
  'DeliveryAttempt.responseHeaders': 20,
  'Enrolment.completions': 10,
  'Learner.badges': 20,
  'Learner.xp': 5,
  'DeliveryFigures.failures': 3,
  'DeliveryStatistics.series': 10,
  'DeliveryStatisticsSeries.points': 31,
  'OAuthClient.grantTypes': 3,
  'OAuthClient.scopes': 8,
  'OAuthClient.secrets': 2,
  'OAuthClientPreset.grantTypes': 3,
  'OAuthClientRequest.grantTypes': 3,
  'OAuthClientRequest.scopes': 8,
  'Query.auditActions': 60,
  'Query.eventTypes': 8,
  'Query.oauthClientPresets': 6,
  'Query.scopes': 17,
  'Quest.tasks': 10,
  'Replay.statuses': 3,
  'ValidationError.faults': 10,
  'Viewer.connectedApps': 20,
  'Viewer.memberships': 20,
  'Viewer.sessions': 50,
  'WebhookSubscription.customHeaders': 20,
  'WebhookSubscription.secrets': 2,
};

/** What one value of a field costs beside the objects in it, by `Type.field` or `*.field`. */
export const SURCHARGES: Readonly<Record<string, number>> = {
  // Up to 256 KiB each.
  'Event.body': 50,
  'Event.data': 50,
  // Up to 16 KiB.
  'DeliveryAttempt.responseBody': 4,
  // Counted up to 10,000.
  '*.totalCount': 20,
  // What the schema itself tells, 200 KB at most.
  'Query.__schema': 200,
  'Query.__type': 20,
};

/** What an operation costs at least: a query, a mutation (a transaction that writes), a stream (a listener). */
export const BASE_PRICES = { query: 1, mutation: 10, subscription: 10 } as const;
