CYPHER 25 CREATE INDEX decision_of_project IF NOT EXISTS FOR (d:Decision) ON (d.tenant, d.project_id, d.created_at);
CYPHER 25 CREATE INDEX decision_of_agent IF NOT EXISTS FOR (d:Decision) ON (d.tenant, d.agent_id, d.created_at);
CYPHER 25 CREATE INDEX decision_of_session IF NOT EXISTS FOR (d:Decision) ON (d.tenant, d.session_id, d.created_at);
CYPHER 25 CREATE INDEX decision_of_status IF NOT EXISTS FOR (d:Decision) ON (d.tenant, d.status, d.created_at);
CYPHER 25 CREATE INDEX pattern_of_scope IF NOT EXISTS FOR (x:Pattern) ON (x.tenant, x.scope, x.created_at);
CYPHER 25 CREATE INDEX pattern_of_source IF NOT EXISTS FOR (x:Pattern) ON (x.tenant, x.source_slug);
