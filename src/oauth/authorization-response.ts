/** The way back to the client: a redirect with a code or an error (RFC 6749 4.1.2, RFC 9207). */
import { seeOther } from '../platform/pages/page.ts';

/** Where to go back to, and what goes along whatever the answer is. */
export type Destination = {
  readonly issuer: string;
  readonly redirectUri: string;
  /** As it was sent, still encoded. */
  readonly rawState: string | undefined;
};

/**
 * The URL that takes an answer to the client: its redirect URI as it stands, query included, then the answer, the issuer
 * and the state.
 */
export function responseUrl(
  { issuer, redirectUri, rawState }: Destination,
  answer: Readonly<Record<string, string>>,
): string {
  const joint = redirectUri.includes('?') ? '&' : '?';
  const added = new URLSearchParams({ ...answer, iss: issuer }).toString();
  const state = rawState === undefined ? '' : `&state=${rawState}`;
  return `${redirectUri}${joint}${added}${state}`;
}

/** Goes back to the client. 303, so that no browser sends it what it sent us (rule 14). */
export function backToClient(destination: Destination, answer: Readonly<Record<string, string>>): Response {
  return seeOther(responseUrl(destination, answer));
}
