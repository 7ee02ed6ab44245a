-- Grants end with what they rest on, whichever statement ends that: the consent, the password of the person, the person
-- being active, the client being approved. (With the membership, and with the client, they go by foreign key.) Each
-- function runs as the owner: whoever may do the one thing needs no right to touch grants.

-- Consents are listed newest first, and named one by one. The default is for servers of the version before.
ALTER TABLE "oauth_consents" ADD COLUMN "id" UUID NOT NULL DEFAULT optio.uuid_v7();
CREATE UNIQUE INDEX "oauth_consents_organization_id_id_key" ON "oauth_consents" ("organization_id", "id");
CREATE INDEX "oauth_consents_organization_id_client_ref_id_idx" ON "oauth_consents" ("organization_id", "client_ref", "id");
DROP INDEX "oauth_consents_organization_id_client_ref_idx";

-- When a code or refresh token of it was last exchanged; null: never yet.
ALTER TABLE "oauth_grants" ADD COLUMN "last_used_at" TIMESTAMPTZ(3);

-- Each statement of a function sees what was committed until then: so a grant that was being made while the consent was
-- taken away is found, for both lock the row of the consent.
CREATE FUNCTION optio.end_grants_of_consents() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE oauth_grants g SET revoked_at = now() FROM gone
  WHERE g.organization_id = gone.organization_id AND g.user_id = gone.user_id AND g.client_ref = gone.client_ref
    AND g.revoked_at IS NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER end_grants AFTER DELETE ON "oauth_consents" REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION optio.end_grants_of_consents();

CREATE FUNCTION optio.end_grants_of_user() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE oauth_grants SET revoked_at = now() WHERE user_id = (to_jsonb(NEW) ->> TG_ARGV[0])::uuid AND revoked_at IS NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER end_grants AFTER UPDATE ON "user_passwords"
  FOR EACH ROW WHEN (NEW.hash IS DISTINCT FROM OLD.hash) EXECUTE FUNCTION optio.end_grants_of_user('user_id');
CREATE TRIGGER end_grants AFTER UPDATE ON "users"
  FOR EACH ROW WHEN (NEW.deactivated_at IS NOT NULL AND OLD.deactivated_at IS NULL) EXECUTE FUNCTION optio.end_grants_of_user('id');

-- Its own tokens, too: resumed, it is not to find those still good that it was suspended for. None of them is good for
-- longer than an hour, so those of the last two are all there are.
CREATE FUNCTION optio.end_grants_of_client() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE oauth_grants SET revoked_at = now()
  WHERE organization_id = NEW.organization_id AND client_ref = NEW.id AND revoked_at IS NULL;
  UPDATE oauth_access_tokens SET revoked_at = now()
  WHERE organization_id = NEW.organization_id AND client_ref = NEW.id AND revoked_at IS NULL
    AND id >= optio.uuid_at(now() - interval '2 hours');
  RETURN NULL;
END $$;
CREATE TRIGGER end_grants AFTER UPDATE ON "oauth_clients"
  FOR EACH ROW WHEN (OLD.status = 'APPROVED' AND NEW.status <> 'APPROVED') EXECUTE FUNCTION optio.end_grants_of_client();

REVOKE ALL ON FUNCTION optio.end_grants_of_consents(), optio.end_grants_of_user(), optio.end_grants_of_client() FROM PUBLIC;

-- An admin takes back what members allowed; no client does, not even one that acts for the organization.
GRANT DELETE ON "oauth_consents" TO optio_tenant;
CREATE POLICY tenant_remove ON "oauth_consents" AS RESTRICTIVE FOR DELETE TO optio_tenant
  USING (current_setting('app.role', true) = 'ADMIN');
