/** What the demo school teaches: quests with their tasks, and badges. */
import type { PILLARS } from '../events/event-type.ts';

export type Quest = {
  readonly id: string;
  readonly title: string;
  readonly pillar: (typeof PILLARS)[number];
  /** For each task. */
  readonly xp: number;
  readonly tasks: readonly [string, ...string[]];
};

export const QUESTS: readonly Quest[] = [
  {
    id: 'qst_river',
    title: 'The river behind the school',
    pillar: 'stem',
    xp: 50,
    tasks: ['Take a water sample', 'Measure the current', 'Count the mayflies', 'Write the field report'],
  },
  {
    id: 'qst_bridge',
    title: 'A bridge of paper',
    pillar: 'stem',
    xp: 40,
    tasks: ['Sketch three bridges', 'Build the strongest one', 'Load it until it breaks'],
  },
  {
    id: 'qst_mural',
    title: 'A mural for the gym',
    pillar: 'arts',
    xp: 60,
    tasks: ['Collect ideas from your class', 'Paint a draft in colour', 'Transfer it to the wall'],
  },
  {
    id: 'qst_council',
    title: 'Your town council',
    pillar: 'civics',
    xp: 45,
    tasks: ['Attend a council meeting', 'Interview a council member', 'Draft a motion', 'Hold the vote'],
  },
  {
    id: 'qst_podcast',
    title: 'Ten minutes on air',
    pillar: 'communication',
    xp: 35,
    tasks: ['Write the script', 'Record an interview', 'Cut the episode'],
  },
  {
    id: 'qst_sleep',
    title: 'A fortnight of good sleep',
    pillar: 'wellness',
    xp: 25,
    tasks: ['Keep a sleep diary', 'Change one habit', 'Compare the two weeks'],
  },
];

export const BADGES: readonly { readonly id: string; readonly name: string }[] = [
  { id: 'bdg_naturalist', name: 'Naturalist' },
  { id: 'bdg_engineer', name: 'Bridge builder' },
  { id: 'bdg_muralist', name: 'Muralist' },
  { id: 'bdg_citizen', name: 'Active citizen' },
  { id: 'bdg_on_air', name: 'On air' },
  { id: 'bdg_early_bird', name: 'Early bird' },
];
