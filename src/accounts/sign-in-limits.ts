/**
 * How often a password or a code may be tried. Tight where somebody guesses at one account from one place; generous by
 * address alone, for a school's pupils share one; never by account alone, which would let anybody lock anybody out.
 */
import { sha256 } from '../lib/crypto.ts';
import { addressKey, createAttemptLimit } from '../platform/attempt-limit.ts';

export type SignInLimits = ReturnType<typeof createSignInLimits>;

const QUARTER_HOUR = 15 * 60;

/** The limits of one process. */
export function createSignInLimits() {
  const perAddress = createAttemptLimit({ attempts: 300, perSeconds: QUARTER_HOUR });
  const perAccountAndAddress = createAttemptLimit({ attempts: 10, perSeconds: QUARTER_HOUR });
  return {
    /** Of passwords at sign-in: checked before the work, counted with it, given back when the password was right. */
    password: (email: string, address: string | null) => {
      const place = addressKey(address);
      const account = `${sha256(email).toString('base64')} ${place}`;
      return {
        check: async () => {
          await perAddress.check(place);
          await perAccountAndAddress.check(account);
        },
        count: async () => {
          await perAddress.count(place);
          await perAccountAndAddress.count(account);
        },
        succeeded: async () => {
          await perAddress.giveBack(place);
          await perAccountAndAddress.forget(account);
        },
      };
    },
    /** Of codes, for one pending sign-in. */
    codePerSignIn: createAttemptLimit({ attempts: 5, perSeconds: QUARTER_HOUR }),
    /**
     * Of codes, for an account. Only who knows its password gets here, so this locks out nobody but an owner whose
     * password is known to somebody else; without it a million codes would be guessed five at a time.
     */
    codePerAccount: createAttemptLimit({ attempts: 20, perSeconds: 3_600 }),
    /** Of passwords and codes asked for once more in a session. */
    confirmation: createAttemptLimit({ attempts: 10, perSeconds: QUARTER_HOUR }),
  };
}
