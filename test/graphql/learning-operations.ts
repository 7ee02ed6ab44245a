/** The documents of the learning core that tests use. */
import { graphql } from '../generated/gql/index.ts';

export const CREATE_QUEST = graphql(`
  mutation CreateQuest($input: CreateQuestInput!) {
    createQuest(input: $input) {
      __typename
      ... on CreateQuestPayload { quest { id status version tasks { id position title requiresApproval } } }
      ... on ValidationError { faults { path message } }
    }
  }
`);
export const CHANGE_STATUS = graphql(`
  mutation ChangeQuestStatus($input: ChangeQuestStatusInput!) {
    changeQuestStatus(input: $input) {
      __typename
      ... on ChangeQuestStatusPayload { quest { status version } }
      ... on ValidationError { faults { path } }
      ... on ConflictError { message currentVersion current { ... on Quest { title version } } }
    }
  }
`);
export const UPDATE_QUEST = graphql(`
  mutation UpdateQuest($input: UpdateQuestInput!) {
    updateQuest(input: $input) { __typename ... on UpdateQuestPayload { quest { title xp version } } ... on Error { message } }
  }
`);
export const START = graphql(`
  mutation StartQuest($input: StartQuestInput!) {
    startQuest(input: $input) { __typename ... on StartQuestPayload { enrolment { id tasksCompleted } } ... on Error { message } }
  }
`);
export const SUBMIT = graphql(`
  mutation SubmitTask($input: SubmitTaskInput!) {
    submitTask(input: $input) {
      __typename
      ... on SubmitTaskPayload { submission { id uuid status } }
      ... on ValidationError { faults { path } }
    }
  }
`);
export const REVIEW = graphql(`
  mutation Review($input: ReviewSubmissionInput!) {
    reviewSubmission(input: $input) {
      __typename
      ... on ReviewSubmissionPayload { taskCompleted submission { status feedback } }
    }
  }
`);
export const COMPLETE = graphql(`
  mutation Complete($input: CompleteTaskInput!) {
    completeTask(input: $input) {
      __typename
      ... on CompleteTaskPayload {
        isNew questCompleted
        completion { taskId pillar xp completedAt }
        enrolment { tasksCompleted xpEarned completedAt }
        badgesEarned { name }
      }
      ... on Error { message }
      ... on ForbiddenError { requiredScope }
      ... on ValidationError { faults { path } }
    }
  }
`);
export const CREATE_BADGE = graphql(`
  mutation CreateBadge($input: CreateBadgeInput!) {
    createBadge(input: $input) {
      __typename
      ... on CreateBadgePayload { badge { id rule threshold pillar } }
      ... on ValidationError { faults { path } }
    }
  }
`);
export const AWARD = graphql(`
  mutation Award($input: AwardBadgeInput!) {
    awardBadge(input: $input) { __typename ... on AwardBadgePayload { award { earnedAt badge { name } } } }
  }
`);
export const GRADE = graphql(`
  mutation Grade($input: RecordGradeInput!) {
    recordGrade(input: $input) {
      __typename
      ... on RecordGradePayload { grade { grade version } }
      ... on ConflictError { currentVersion }
    }
  }
`);
export const ME = graphql(`
  query MyLearning {
    viewer {
      learner {
        userUuid questsCompleted tasksCompleted totalXp
        xp { pillar xp }
        user { name }
        badges { badge { name } }
      }
    }
    organization {
      enrolments { nodes { completedAt quest { title } completions { xp task { title } } grade { grade } } totalCount { value } }
      submissions(filter: { status: APPROVED }) { nodes { text task { title } learner { userUuid } } totalCount { value } }
      badges { nodes { name } totalCount { value } }
    }
  }
`);
export const CLASS = graphql(`
  query Class($first: Int) {
    organization {
      quests(first: $first) { nodes { title tasks { title quest { title } } } }
      learners(first: $first) { nodes { totalXp user { name } badges { earnedAt badge { name } } } totalCount { value } }
      enrolments(first: $first) { nodes { quest { title } learner { user { name } } completions { task { title } } grade { grade } } }
      submissions(first: $first) { nodes { task { title } learner { totalXp } } }
    }
  }
`);
export const CATALOGUE = graphql(`
  query Catalogue($filter: QuestFilter) { organization { quests(filter: $filter) { nodes { title } totalCount { value } } } }
`);
