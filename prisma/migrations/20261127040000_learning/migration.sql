-- Learning: quests with their tasks, who does them, what was handed in, completed, awarded and graded. What learners did is
-- reached from `learners`, which only members get into; a person who leaves keeps their record in the school.

CREATE TYPE "Pillar" AS ENUM ('STEM', 'ARTS', 'CIVICS', 'COMMUNICATION', 'WELLNESS');

CREATE TYPE "QuestStatus" AS ENUM ('DRAFT', 'PUBLISHED', 'ARCHIVED');

CREATE TYPE "SubmissionStatus" AS ENUM ('SUBMITTED', 'APPROVED', 'RETURNED');

CREATE TYPE "BadgeRule" AS ENUM ('MANUAL', 'QUESTS_COMPLETED', 'PILLAR_XP');

CREATE TABLE "quests" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "pillar" "Pillar" NOT NULL,
    "xp" INTEGER NOT NULL,
    "status" "QuestStatus" NOT NULL DEFAULT 'DRAFT',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "quests_pkey" PRIMARY KEY ("organization_id","id")
);

CREATE TABLE "tasks" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "quest_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "title" TEXT NOT NULL,
    "pillar" "Pillar" NOT NULL,
    "xp" INTEGER NOT NULL,
    "requires_approval" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "tasks_pkey" PRIMARY KEY ("organization_id","id")
);

CREATE TABLE "learners" (
    "organization_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "quests_completed" INTEGER NOT NULL DEFAULT 0,
    "tasks_completed" INTEGER NOT NULL DEFAULT 0,
    "stem_xp" INTEGER NOT NULL DEFAULT 0,
    "arts_xp" INTEGER NOT NULL DEFAULT 0,
    "civics_xp" INTEGER NOT NULL DEFAULT 0,
    "communication_xp" INTEGER NOT NULL DEFAULT 0,
    "wellness_xp" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "learners_pkey" PRIMARY KEY ("organization_id","user_id")
);

CREATE TABLE "enrolments" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "quest_id" UUID NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "tasks_completed" INTEGER NOT NULL DEFAULT 0,
    "xp_earned" INTEGER NOT NULL DEFAULT 0,
    "completed_at" TIMESTAMPTZ(3),

    CONSTRAINT "enrolments_pkey" PRIMARY KEY ("organization_id","id")
);

CREATE TABLE "submissions" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "quest_id" UUID NOT NULL,
    "task_id" UUID NOT NULL,
    "text" TEXT,
    "link" TEXT,
    "file_name" TEXT,
    "status" "SubmissionStatus" NOT NULL DEFAULT 'SUBMITTED',
    "submitted_at" TIMESTAMPTZ(3) NOT NULL,
    "reviewed_at" TIMESTAMPTZ(3),
    "reviewed_by_id" UUID,
    "feedback" TEXT,

    CONSTRAINT "submissions_pkey" PRIMARY KEY ("organization_id","id")
);

CREATE TABLE "task_completions" (
    "organization_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "task_id" UUID NOT NULL,
    "quest_id" UUID NOT NULL,
    "pillar" "Pillar" NOT NULL,
    "xp" INTEGER NOT NULL,
    "completed_at" TIMESTAMPTZ(3) NOT NULL,
    "approved_by_id" UUID,

    CONSTRAINT "task_completions_pkey" PRIMARY KEY ("organization_id","user_id","task_id")
);

CREATE TABLE "badges" (
    "organization_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "rule" "BadgeRule" NOT NULL DEFAULT 'MANUAL',
    "threshold" INTEGER,
    "pillar" "Pillar",
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "badges_pkey" PRIMARY KEY ("organization_id","id")
);

CREATE TABLE "badge_awards" (
    "organization_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "badge_id" UUID NOT NULL,
    "earned_at" TIMESTAMPTZ(3) NOT NULL,
    "awarded_by_id" UUID,

    CONSTRAINT "badge_awards_pkey" PRIMARY KEY ("organization_id","user_id","badge_id")
);

CREATE TABLE "grades" (
    "organization_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "quest_id" UUID NOT NULL,
    "grade" DOUBLE PRECISION NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "graded_by_id" UUID,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "grades_pkey" PRIMARY KEY ("organization_id","user_id","quest_id")
);

CREATE INDEX "quests_organization_id_status_id_idx" ON "quests"("organization_id", "status", "id");

CREATE UNIQUE INDEX "tasks_organization_id_quest_id_id_key" ON "tasks"("organization_id", "quest_id", "id");

CREATE UNIQUE INDEX "tasks_organization_id_quest_id_position_key" ON "tasks"("organization_id", "quest_id", "position");

CREATE INDEX "learners_user_id_idx" ON "learners"("user_id");

CREATE INDEX "enrolments_organization_id_user_id_id_idx" ON "enrolments"("organization_id", "user_id", "id");

CREATE INDEX "enrolments_organization_id_quest_id_id_idx" ON "enrolments"("organization_id", "quest_id", "id");

CREATE UNIQUE INDEX "enrolments_organization_id_user_id_quest_id_key" ON "enrolments"("organization_id", "user_id", "quest_id");

CREATE INDEX "submissions_organization_id_status_id_idx" ON "submissions"("organization_id", "status", "id");

CREATE INDEX "submissions_organization_id_user_id_id_idx" ON "submissions"("organization_id", "user_id", "id");

CREATE INDEX "submissions_organization_id_user_id_quest_id_idx" ON "submissions"("organization_id", "user_id", "quest_id");

CREATE INDEX "task_completions_organization_id_user_id_quest_id_idx" ON "task_completions"("organization_id", "user_id", "quest_id");

CREATE INDEX "badge_awards_organization_id_badge_id_idx" ON "badge_awards"("organization_id", "badge_id");

ALTER TABLE "quests" ADD CONSTRAINT "quests_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "tasks" ADD CONSTRAINT "tasks_organization_id_quest_id_fkey" FOREIGN KEY ("organization_id", "quest_id") REFERENCES "quests"("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "learners" ADD CONSTRAINT "learners_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "learners" ADD CONSTRAINT "learners_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "enrolments" ADD CONSTRAINT "enrolments_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "learners"("organization_id", "user_id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "enrolments" ADD CONSTRAINT "enrolments_organization_id_quest_id_fkey" FOREIGN KEY ("organization_id", "quest_id") REFERENCES "quests"("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "submissions" ADD CONSTRAINT "submissions_organization_id_user_id_quest_id_fkey" FOREIGN KEY ("organization_id", "user_id", "quest_id") REFERENCES "enrolments"("organization_id", "user_id", "quest_id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "submissions" ADD CONSTRAINT "submissions_organization_id_quest_id_task_id_fkey" FOREIGN KEY ("organization_id", "quest_id", "task_id") REFERENCES "tasks"("organization_id", "quest_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "task_completions" ADD CONSTRAINT "task_completions_organization_id_user_id_quest_id_fkey" FOREIGN KEY ("organization_id", "user_id", "quest_id") REFERENCES "enrolments"("organization_id", "user_id", "quest_id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "task_completions" ADD CONSTRAINT "task_completions_organization_id_quest_id_task_id_fkey" FOREIGN KEY ("organization_id", "quest_id", "task_id") REFERENCES "tasks"("organization_id", "quest_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "badges" ADD CONSTRAINT "badges_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "badge_awards" ADD CONSTRAINT "badge_awards_organization_id_user_id_fkey" FOREIGN KEY ("organization_id", "user_id") REFERENCES "learners"("organization_id", "user_id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "badge_awards" ADD CONSTRAINT "badge_awards_organization_id_badge_id_fkey" FOREIGN KEY ("organization_id", "badge_id") REFERENCES "badges"("organization_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "grades" ADD CONSTRAINT "grades_organization_id_user_id_quest_id_fkey" FOREIGN KEY ("organization_id", "user_id", "quest_id") REFERENCES "enrolments"("organization_id", "user_id", "quest_id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "quests"
  ADD CONSTRAINT "quests_xp_in_range" CHECK ("xp" BETWEEN 0 AND 10000);
ALTER TABLE "tasks"
  ADD CONSTRAINT "tasks_xp_in_range" CHECK ("xp" BETWEEN 0 AND 10000),
  ADD CONSTRAINT "tasks_position_positive" CHECK ("position" > 0);
ALTER TABLE "submissions"
  ADD CONSTRAINT "submissions_hold_something" CHECK (num_nonnulls("text", "link", "file_name") > 0),
  ADD CONSTRAINT "submissions_reviewed" CHECK (("status" = 'SUBMITTED') = ("reviewed_at" IS NULL));
ALTER TABLE "badges"
  ADD CONSTRAINT "badges_rule_is_whole" CHECK (("rule" = 'MANUAL') = ("threshold" IS NULL) AND ("rule" = 'PILLAR_XP') = ("pillar" IS NOT NULL)),
  ADD CONSTRAINT "badges_threshold_positive" CHECK ("threshold" > 0);
ALTER TABLE "grades"
  ADD CONSTRAINT "grades_in_range" CHECK ("grade" BETWEEN 0 AND 100);
-- One submission for a task waits for its review; two that are handed in at once meet here.
CREATE UNIQUE INDEX "submissions_waiting" ON "submissions" ("organization_id", "user_id", "task_id") WHERE "status" = 'SUBMITTED';

-- Who may touch what: students see and do what is their own, who teaches all of the organization. Machine clients teach,
-- within their scopes. The planner inlines the functions.
CREATE FUNCTION optio.teaches() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT current_setting('app.role', true) IN ('EDUCATOR', 'ADMIN', 'CLIENT') $$;
CREATE FUNCTION optio.may_act_for(p_user_id uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT current_setting('app.role', true) IN ('EDUCATOR', 'ADMIN', 'CLIENT')
          OR p_user_id = nullif(current_setting('app.user_id', true), '')::uuid $$;

ALTER TABLE "quests" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "tasks" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "learners" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "enrolments" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "submissions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "task_completions" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "badges" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "badge_awards" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "grades" ENABLE ROW LEVEL SECURITY;

GRANT SELECT, INSERT ON "quests", "tasks", "learners", "enrolments", "submissions", "task_completions", "badges",
  "badge_awards", "grades" TO optio_tenant;
GRANT UPDATE ("title", "description", "pillar", "xp", "status", "version", "updated_at") ON "quests" TO optio_tenant;
-- Those of a draft are written anew.
GRANT DELETE ON "tasks" TO optio_tenant;
GRANT UPDATE ("quests_completed", "tasks_completed", "stem_xp", "arts_xp", "civics_xp", "communication_xp", "wellness_xp")
  ON "learners" TO optio_tenant;
GRANT UPDATE ("tasks_completed", "xp_earned", "completed_at") ON "enrolments" TO optio_tenant;
GRANT UPDATE ("status", "reviewed_at", "reviewed_by_id", "feedback") ON "submissions" TO optio_tenant;
GRANT UPDATE ("grade", "version", "graded_by_id", "updated_at") ON "grades" TO optio_tenant;

-- A student sees what can be started, and what was archived after it was.
CREATE POLICY tenant ON "quests" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    AND (status = 'PUBLISHED' OR optio.teaches() OR status = 'ARCHIVED' AND EXISTS (SELECT FROM enrolments e
      WHERE e.organization_id = quests.organization_id AND e.quest_id = quests.id
        AND e.user_id = nullif(current_setting('app.user_id', true), '')::uuid)));
CREATE POLICY tenant_add ON "quests" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches());
CREATE POLICY tenant_change ON "quests" FOR UPDATE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches());

-- Whoever sees the quest sees its tasks; they change while it is a draft.
CREATE POLICY tenant ON "tasks" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    AND (optio.teaches() OR EXISTS (SELECT FROM quests q WHERE q.organization_id = tasks.organization_id AND q.id = tasks.quest_id)));
CREATE POLICY tenant_add ON "tasks" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches()
    AND EXISTS (SELECT FROM quests q WHERE q.organization_id = tasks.organization_id AND q.id = tasks.quest_id AND q.status = 'DRAFT'));
CREATE POLICY tenant_remove ON "tasks" FOR DELETE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches()
    AND EXISTS (SELECT FROM quests q WHERE q.organization_id = tasks.organization_id AND q.id = tasks.quest_id AND q.status = 'DRAFT'));

CREATE POLICY tenant ON "learners" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));
-- Only members, so that nobody can take in, and then see, a person of another organization.
CREATE POLICY tenant_add ON "learners" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id)
    AND EXISTS (SELECT FROM memberships m WHERE m.organization_id = learners.organization_id AND m.user_id = learners.user_id));
CREATE POLICY tenant_change ON "learners" FOR UPDATE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));

CREATE POLICY tenant ON "enrolments" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));
CREATE POLICY tenant_add ON "enrolments" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));
CREATE POLICY tenant_change ON "enrolments" FOR UPDATE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));

CREATE POLICY tenant ON "submissions" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));
CREATE POLICY tenant_add ON "submissions" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id)
    AND status = 'SUBMITTED');
CREATE POLICY tenant_review ON "submissions" FOR UPDATE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches());

-- What a teacher must approve no student can have count.
CREATE POLICY tenant ON "task_completions" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));
CREATE POLICY tenant_add ON "task_completions" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id)
    AND (optio.teaches() OR EXISTS (SELECT FROM tasks t
      WHERE t.organization_id = task_completions.organization_id AND t.id = task_completions.task_id AND NOT t.requires_approval)));

CREATE POLICY tenant ON "badges" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid);
CREATE POLICY tenant_add ON "badges" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches());

-- In a student's transaction a rule awards, and no person.
CREATE POLICY tenant ON "badge_awards" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));
CREATE POLICY tenant_add ON "badge_awards" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id)
    AND (optio.teaches() OR EXISTS (SELECT FROM badges b
      WHERE b.organization_id = badge_awards.organization_id AND b.id = badge_awards.badge_id AND b.rule <> 'MANUAL')));

CREATE POLICY tenant ON "grades" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.may_act_for(user_id));
CREATE POLICY tenant_add ON "grades" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches());
CREATE POLICY tenant_change ON "grades" FOR UPDATE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND optio.teaches());
