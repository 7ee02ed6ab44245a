-- People by mail: invitations, one-time tokens, and the mails that still have to leave.

CREATE TYPE "OneTimePurpose" AS ENUM ('INVITATION', 'PASSWORD_RESET');

ALTER TABLE "memberships" ADD COLUMN "version" INTEGER NOT NULL DEFAULT 1;

CREATE TABLE "invitations" (
  "organization_id" UUID NOT NULL,
  "id" UUID NOT NULL,
  "email" TEXT NOT NULL,
  "name" TEXT NOT NULL,
  "role" "Role" NOT NULL,
  "invited_by_id" UUID,
  "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "mail_queued_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "mail_sent_at" TIMESTAMPTZ(3),
  "mail_error" TEXT,
  "accepted_at" TIMESTAMPTZ(3),
  "revoked_at" TIMESTAMPTZ(3),
  CONSTRAINT "invitations_pkey" PRIMARY KEY ("organization_id", "id"),
  CONSTRAINT "invitations_organization_id_fkey" FOREIGN KEY ("organization_id") REFERENCES "organizations" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT "invitations_invited_by_id_fkey" FOREIGN KEY ("invited_by_id") REFERENCES "users" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
  CONSTRAINT "invitations_email_is_lower_case" CHECK ("email" = lower("email")),
  CONSTRAINT "invitations_accepted_or_revoked" CHECK ("accepted_at" IS NULL OR "revoked_at" IS NULL)
);
-- A token names an invitation without its organization.
CREATE INDEX "invitations_id_idx" ON "invitations" ("id");
CREATE INDEX "invitations_invited_by_id_idx" ON "invitations" ("invited_by_id");
-- One open invitation for an address; two who invite it at once meet here.
CREATE UNIQUE INDEX "invitations_open" ON "invitations" ("organization_id", "email") WHERE "accepted_at" IS NULL AND "revoked_at" IS NULL;

-- One token at most for each purpose and subject (a user, or an invitation): a new one takes the place of the one before.
CREATE TABLE "one_time_tokens" (
  "purpose" "OneTimePurpose" NOT NULL,
  "subject_id" UUID NOT NULL,
  "hash" BYTEA NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "consumed_at" TIMESTAMPTZ(3),
  CONSTRAINT "one_time_tokens_pkey" PRIMARY KEY ("purpose", "subject_id")
);
CREATE UNIQUE INDEX "one_time_tokens_hash_key" ON "one_time_tokens" ("hash");
CREATE INDEX "one_time_tokens_expires_at_idx" ON "one_time_tokens" ("expires_at");

-- What is to be mailed, not the mail: it is composed when it is sent, so that no link is ever stored.
CREATE TABLE "outgoing_mails" (
  "id" UUID NOT NULL,
  "key" TEXT NOT NULL,
  "template" TEXT NOT NULL,
  "data" JSONB NOT NULL,
  "created_at" TIMESTAMPTZ(3) NOT NULL,
  "due_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "attempt_count" INTEGER NOT NULL DEFAULT 0,
  CONSTRAINT "outgoing_mails_pkey" PRIMARY KEY ("id")
);
-- What is asked for again while it waits is mailed once.
CREATE UNIQUE INDEX "outgoing_mails_key_key" ON "outgoing_mails" ("key");
CREATE INDEX "outgoing_mails_due_at_idx" ON "outgoing_mails" ("due_at");

ALTER TABLE "invitations" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "one_time_tokens" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "outgoing_mails" ENABLE ROW LEVEL SECURITY;

-- The tenant invites, renews and revokes. Who may be invited as what follows from the role; an educator has to do with
-- the own invitations only. Tokens are none of its business: whoever could make one could take in, and then see,
-- people of another organization.
GRANT SELECT, INSERT ON "invitations" TO optio_tenant;
GRANT UPDATE ("expires_at", "mail_queued_at", "mail_sent_at", "mail_error", "revoked_at") ON "invitations" TO optio_tenant;
CREATE POLICY tenant ON "invitations" FOR SELECT TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    AND (optio.is_admin() OR current_setting('app.role', true) = 'EDUCATOR'
      AND invited_by_id = nullif(current_setting('app.user_id', true), '')::uuid));
CREATE POLICY tenant_invite ON "invitations" FOR INSERT TO optio_tenant
  WITH CHECK (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    AND invited_by_id IS NOT DISTINCT FROM nullif(current_setting('app.user_id', true), '')::uuid
    AND (current_setting('app.role', true) = 'ADMIN'
      OR current_setting('app.role', true) IN ('EDUCATOR', 'CLIENT') AND role <> 'ADMIN'));
CREATE POLICY tenant_change ON "invitations" FOR UPDATE TO optio_tenant
  USING (organization_id = nullif(current_setting('app.organization_id', true), '')::uuid
    AND (optio.is_admin() OR current_setting('app.role', true) = 'EDUCATOR'
      AND invited_by_id = nullif(current_setting('app.user_id', true), '')::uuid));

-- The authorization server mails, makes the tokens and takes people in.
GRANT SELECT, UPDATE, DELETE ON "invitations" TO optio_auth;
GRANT SELECT, INSERT, UPDATE, DELETE ON "one_time_tokens", "outgoing_mails" TO optio_auth;
CREATE POLICY authorization_server ON "invitations" TO optio_auth USING (true);
CREATE POLICY authorization_server ON "one_time_tokens" TO optio_auth USING (true);
CREATE POLICY authorization_server ON "outgoing_mails" TO optio_auth USING (true);

-- The one mail that a tenant may ask for: that of an open invitation of its own organization. One that waits already,
-- for a mail server that is down, say, is tried at once.
CREATE FUNCTION optio.queue_invitation_mail(p_invitation_id uuid, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO outgoing_mails (id, key, template, data, created_at, due_at, expires_at)
  SELECT optio.uuid_v7(), 'invitation ' || i.id, 'invitation', jsonb_build_object('invitation_id', i.id), p_now, p_now, i.expires_at
  FROM invitations i
  WHERE i.organization_id = nullif(current_setting('app.organization_id', true), '')::uuid AND i.id = p_invitation_id
    AND i.accepted_at IS NULL AND i.revoked_at IS NULL
  ON CONFLICT (key) DO UPDATE SET due_at = excluded.due_at, expires_at = excluded.expires_at;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'There is no open invitation % of this organization.', p_invitation_id USING ERRCODE = '42501';
  END IF;
END $$;
REVOKE ALL ON FUNCTION optio.queue_invitation_mail(uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION optio.queue_invitation_mail(uuid, timestamptz) TO optio_tenant;

-- Who accepts becomes a member and emits user.registered in one transaction.
GRANT EXECUTE ON FUNCTION optio.emit_events(uuid, uuid[], text[], timestamptz[], text[], text[], bytea[], timestamptz) TO optio_auth;
