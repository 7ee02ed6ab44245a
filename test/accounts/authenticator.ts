/** What an authenticator app does with the key that it is shown. */

/** RFC 4648 6; spaces, which make a key readable, are left out. */
export function decodeBase32(text: string): Buffer {
  const bits = Array.from(text.replaceAll(' ', ''), (character) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(character).toString(2).padStart(5, '0'),
  );
  return Buffer.from((bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}
