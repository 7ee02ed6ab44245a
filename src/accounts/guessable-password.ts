/**
 * Which long passwords are guessed first: the common ones with something before or behind, what repeats or runs along
 * the keyboard, and what says whose it is. Twelve characters keep most lists out already; this keeps out what is left.
 */
import type { PasswordOwner } from './password.ts';

/** The words that leaked passwords are made of most often, and our own name. Letters only, lower case. */
const COMMON: ReadonlySet<string> = new Set(
  `abc abcd abcdef abcdefg abcdefgh access admin administrator alexander amanda andrea andrew angel angela anthony apple
  asdf asdfgh asdfghjkl ashley austin azerty babygirl banana barcelona baseball basketball batman beautiful benjamin
  biteme blink bubbles buster butterfly camaro carlos changeme changeit charlie cheese chelsea chicago chocolate christian
  cookie correcthorse correcthorsebatterystaple cowboys daniel dallas default demo diamond dolphin donald dragon eagles
  elizabeth eminem fender ferrari flower football forever freedom friends fuckyou fuckoff gateway george ginger google
  guest guitar hannah harley heather hello helloworld hockey hottie hunter iloveu iloveyou iloveyouforever internet
  jackson jasmine jennifer jessica jesus jordan jordan joseph joshua junior justin killer kitty lakers letmein letmeinnow
  letmeinplease liverpool login london lovely loveme love mamapapa manager manchester martin master matrix matthew maverick
  mercedes michael michelle mickey monkey monster mother motdepasse mustang mypassword naruto nathan newpassword nicholas
  nicole ninja nirvana nothing oliver optio optioconnect orange p passphrase pass passw password passwort passwd patrick
  peanut pepper phoenix please pokemon princess private purple pussy q qazwsx qazwsxedc qwert qwerty qwertyuiop
  qwertyuiopasdfghjkl qwertz rachel rainbow ranger richard robert rocknroll root samantha samsung scooter school secret
  security server shadow silver single slipknot snoopy soccer softball spiderman spring starwars steelers steven student
  summer sunshine superman superstar supersecret teacher temp temppassword tennis test testing testpassword testtest thomas
  thisismypassword thunder tigger tinkerbell toor travis trustno trustnoone unknown user username vanessa victoria
  welcome welcomeback welcometo whatever william winter wizard yankees yellow zxcvbn zxcvbnm`
    .split(/\s+/)
    .filter((word) => word !== ''),
);

/** Whoever runs along one of them, in either direction, types what everybody types. */
const RUNS = [
  '01234567890123456789',
  'abcdefghijklmnopqrstuvwxyz',
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  '1q2w3e4r5t6y7u8i9o0p',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm',
];
/** A repeated part longer than that is taken for a thought of its own. */
const MAX_REPEATED_PART = 8;

/** What is wrong with a guessable password; undefined for one that is not. */
export function findGuessable(password: string, { email, name = '' }: PasswordOwner): string | undefined {
  const text = password.trim().toLowerCase();
  if (text === email.trim().toLowerCase()) return 'A password must not be the email address.';
  const words = [email.split('@')[0] ?? '', email, ...name.split(/\s+/), name].map(lettersOf);
  const cores = [coreOf(text), lettersOf(text)];
  if (words.some((word) => word.length > 2 && cores.includes(word))) {
    return 'A password must not be made of the name or the email address.';
  }
  if (cores.some((core) => COMMON.has(core)) || isRun(text) || isRepeated(text)) {
    return 'This password is among the first that are guessed. Several words that do not belong together are good.';
  }
  return undefined;
}

/** Without what people put before and behind a word to make it longer, and with their digits read as letters. */
function coreOf(text: string): string {
  const core = text.replace(/^[^a-z]+/, '').replace(/[^a-z]+$/, '');
  return lettersOf(core.replace(/[013457@$]/g, (sign) => LOOKALIKES[sign] ?? ''));
}

const LOOKALIKES: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
};

function lettersOf(text: string): string {
  return text.toLowerCase().replace(/[^a-z]/g, '');
}

function isRun(text: string): boolean {
  const backwards = Array.from(text).toReversed().join('');
  return RUNS.some((run) => run.includes(text) || run.includes(backwards));
}

/** One short part over and over, the last one perhaps cut. */
function isRepeated(text: string): boolean {
  const characters = Array.from(text);
  for (let size = 1; size <= Math.min(MAX_REPEATED_PART, characters.length / 2); size++) {
    if (characters.every((character, index) => character === characters[index % size])) return true;
  }
  return false;
}
