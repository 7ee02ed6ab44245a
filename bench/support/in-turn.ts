/** Two things measured in turn, A B A B …, so that what the machine does besides meets both of them alike. */
import { median, round } from './statistics.ts';

export type Round = { readonly product: number; readonly peer: number; readonly ratio: number };

export type InTurn = {
  /** Each answers a rate per second; it throws when the work was not done. */
  readonly product: () => Promise<number>;
  readonly peer: () => Promise<number>;
  readonly rounds: number;
  /** How often each is run before: until what runs has been compiled. Once, if left out. */
  readonly warmUps?: number;
  readonly report: (line: string) => void;
};

/** Warms both up, then measures them in turn. */
export async function measureInTurn({
  product,
  peer,
  rounds,
  warmUps = 1,
  report,
}: InTurn): Promise<readonly Round[]> {
  for (let number = 1; number <= warmUps; number += 1) {
    await product();
    await peer();
  }
  const measured: Round[] = [];
  for (let number = 1; number <= rounds; number += 1) {
    const [ours, theirs] = [await product(), await peer()];
    const one = { product: round(ours), peer: round(theirs), ratio: round(ours / theirs, 3) };
    measured.push(one);
    report(`round ${number} of ${rounds}: ${one.product}/s, peer ${one.peer}/s, ratio ${one.ratio}`);
  }
  return measured;
}

/** The medians; the ratio is that of the rounds' ratios. */
export function middleOf(rounds: readonly Round[]): Round {
  const middle = (name: keyof Round): number => median(rounds.map((one) => one[name]));
  return { product: middle('product'), peer: middle('peer'), ratio: middle('ratio') };
}
