/** What the demo school teaches: quests with their texts and tasks, and badges. */
import type { Badge, Pillar, Quest, Task } from '../generated/prisma/client.ts';
import type { BadgeInput } from '../learning/badge.ts';
import type { QuestInput } from '../learning/quest-input.ts';

const XP: Readonly<Record<Pillar, number>> = {
  STEM: 50,
  ARTS: 60,
  CIVICS: 45,
  COMMUNICATION: 35,
  WELLNESS: 25,
};

export const QUESTS: readonly [QuestInput, ...QuestInput[]] = [
  quest(
    'The river behind the school',
    'STEM',
    'Is the river healthy? Take samples, count what lives in it, and tell the town.',
    ['Take a water sample', 'Measure the current', 'Count the mayflies', '! Write the field report'],
  ),
  quest(
    'A bridge of paper',
    'STEM',
    'Forty sheets, one bottle of glue, a gap of fifty centimetres. Whose bridge carries the most?',
    ['Sketch three bridges', 'Build the strongest one', 'Load it until it breaks'],
  ),
  quest('A mural for the gym', 'ARTS', 'The wall behind the baskets is grey. It will not be for long.', [
    'Collect ideas from your class',
    'Paint a draft in colour',
    '! Transfer it to the wall',
  ]),
  quest(
    'Your town council',
    'CIVICS',
    'Find out who decides what in your town, and bring a motion of your own.',
    ['Attend a council meeting', 'Interview a council member', 'Draft a motion', '! Hold the vote'],
  ),
  quest(
    'Ten minutes on air',
    'COMMUNICATION',
    'One episode, ten minutes, something that your school should hear.',
    ['Write the script', 'Record an interview', 'Cut the episode'],
  ),
  quest(
    'A fortnight of good sleep',
    'WELLNESS',
    'What changes when you sleep well? You are the experiment.',
    ['Keep a sleep diary', 'Change one habit', 'Compare the two weeks'],
  ),
  quest('The sky in November', 'STEM', 'Three planets, one comet, and whatever the clouds allow.', [
    'Find the Pole Star',
    'Log the moon for a week',
    'Draw the path of Jupiter',
    'Explain an eclipse to a younger class',
  ]),
  quest(
    'Bread from nothing',
    'STEM',
    'Flour, water, patience: grow a sourdough and find out what is alive in it.',
    [
      'Start the culture',
      'Keep its temperature',
      'Look at it under the microscope',
      '! Bake and share the loaf',
    ],
  ),
  quest('A play in one act', 'ARTS', 'Write it, cast it, rehearse it, and open the curtain.', [
    'Write the scene',
    'Cast the roles',
    'Rehearse twice',
    '! Perform it',
  ]),
  quest(
    'Songs of the neighbourhood',
    'ARTS',
    'Collect a song from somebody over seventy and arrange it for your class.',
    ['Record the song', 'Write down the melody', 'Arrange it for three voices'],
  ),
  quest(
    'Who owns the park?',
    'CIVICS',
    'A developer, a city, two hundred dogs: map who has a say and who should have one.',
    ['Map the interests', 'Read the land register', 'Hold a hearing'],
  ),
  quest('News you can trust', 'CIVICS', 'Follow one story through five sources and find where it changed.', [
    'Choose the story',
    'Trace its first source',
    'Rate the five sources',
    '! Publish your finding',
  ]),
  quest('A letter to the future', 'COMMUNICATION', 'To be opened in the year you leave school.', [
    'Interview your future self',
    'Write the first draft',
    'Edit it with a partner',
  ]),
  quest('Speak for three minutes', 'COMMUNICATION', 'No slides, no notes, one idea.', [
    'Find your idea',
    'Practise in front of a mirror',
    '! Give the speech',
  ]),
  quest('Five kilometres', 'WELLNESS', 'From the sofa to the finish line in six weeks.', [
    'Run one kilometre',
    'Run three kilometres',
    'Finish the five',
  ]),
  quest('Lunch for the class', 'WELLNESS', 'Plan, buy and cook a lunch that everybody can eat.', [
    'Ask for allergies',
    'Plan the menu',
    'Keep to the budget',
    '! Cook and serve it',
  ]),
];

export const BADGES: readonly BadgeInput[] = [
  { name: 'First steps', description: 'The first quest is done.', questsCompleted: 1 },
  { name: 'On a roll', description: 'Five quests.', questsCompleted: 5 },
  { name: 'Naturalist', description: 'Much XP in STEM.', pillarXp: { pillar: 'STEM', xp: 500 } },
  { name: 'Muralist', description: 'Much XP in the arts.', pillarXp: { pillar: 'ARTS', xp: 400 } },
  { name: 'Active citizen', description: 'Much XP in civics.', pillarXp: { pillar: 'CIVICS', xp: 400 } },
  {
    name: 'On air',
    description: 'Much XP in communication.',
    pillarXp: { pillar: 'COMMUNICATION', xp: 300 },
  },
  ...[
    'Early bird',
    'Good neighbour',
    'Bridge builder',
    'Sharp eyes',
    'Team player',
    'Patient tutor',
    'Bold question',
    'Second wind',
  ].map((name) => ({ name, description: 'Awarded by your teachers.' })),
];

/** A task that begins with `!` has to be approved. */
function quest(title: string, pillar: Pillar, description: string, tasks: readonly string[]): QuestInput {
  const xp = XP[pillar];
  return {
    title,
    description,
    pillar,
    xp: 2 * xp,
    tasks: tasks.map((text) => ({
      title: text.replace(/^! /, ''),
      pillar,
      xp,
      requiresApproval: text.startsWith('! '),
    })),
  };
}

/** The quest of that number: after the last one they come again, as the next part. */
export function questNumber(index: number): QuestInput {
  const part = Math.floor(index / QUESTS.length) + 1;
  const base = QUESTS[index % QUESTS.length] ?? QUESTS[0];
  return part === 1 ? base : { ...base, title: `${base.title}, part ${part}` };
}

export type PlannedQuest = Omit<Quest, 'organizationId' | 'version' | 'createdAt' | 'updatedAt'> & {
  readonly tasks: readonly Omit<Task, 'organizationId'>[];
};
export type PlannedBadge = Omit<Badge, 'organizationId' | 'createdAt'>;
export type Curriculum = {
  readonly quests: readonly PlannedQuest[];
  readonly badges: readonly PlannedBadge[];
};

/** Everything with an id, published. */
export function planCurriculum(nextId: () => string): Curriculum {
  const quests = QUESTS.map(({ tasks, ...rest }): PlannedQuest => {
    const id = nextId();
    const planned = tasks.map((task, index) => ({ ...task, id: nextId(), questId: id, position: index + 1 }));
    return { ...rest, id, status: 'PUBLISHED', tasks: planned };
  });
  return { quests, badges: BADGES.map((badge) => planBadge(badge, nextId())) };
}

function planBadge({ name, description, questsCompleted, pillarXp }: BadgeInput, id: string): PlannedBadge {
  const texts = { id, name, description };
  if (pillarXp !== undefined)
    return { ...texts, rule: 'PILLAR_XP', threshold: pillarXp.xp, pillar: pillarXp.pillar };
  if (questsCompleted !== undefined) {
    return { ...texts, rule: 'QUESTS_COMPLETED', threshold: questsCompleted, pillar: null };
  }
  return { ...texts, rule: 'MANUAL', threshold: null, pillar: null };
}
