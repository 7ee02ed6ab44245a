/** What is kept of a response's body: read to one limit, kept to a lower one, never decompressed (webhooks rule 9). */

export type BodyLimits = {
  /** More than this is not read: the connection is cut. */
  readonly maxResponseBytes: number;
  /** More than this is read, but not kept. */
  readonly keepResponseBytes: number;
};

/** Collects the chunks of one body. */
export class ResponseBody {
  readonly #limits: BodyLimits;
  readonly #chunks: Buffer[] = [];
  #receivedBytes = 0;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Takes the next chunk; false when that was more than is read of a body. */
  add(chunk: Buffer): boolean {
    const room = this.#limits.keepResponseBytes - this.#receivedBytes;
    if (room > 0) this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk);
    this.#receivedBytes += chunk.length;
    return this.#receivedBytes <= this.#limits.maxResponseBytes;
  }

  get isTruncated(): boolean {
    return this.#receivedBytes > this.#limits.keepResponseBytes;
  }

  /** The kept bytes as text that Postgres can store: U+FFFD for what is not UTF-8, and without NUL. */
  text(): string {
    const [first, ...rest] = this.#chunks;
    if (first === undefined) return '';
    const bytes = rest.length === 0 ? first : Buffer.concat(this.#chunks);
    const text = this.isTruncated ? decodeCut(bytes) : bytes.toString('utf8');
    return text.includes('\0') ? text.replaceAll('\0', '') : text;
  }
}

/** `stream: true` leaves out the half of a character that the cut left at the end. */
function decodeCut(bytes: Buffer): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
}
