CYPHER 25 CREATE INDEX session_of_agent IF NOT EXISTS FOR (s:Session) ON (s.tenant, s.agent_id, s.created_at);
CYPHER 25 CREATE INDEX session_of_project IF NOT EXISTS FOR (s:Session) ON (s.tenant, s.project, s.created_at);
CYPHER 25 CREATE INDEX session_of_status IF NOT EXISTS FOR (s:Session) ON (s.tenant, s.status, s.created_at);
CYPHER 25 CREATE INDEX memory_of_project_tier IF NOT EXISTS FOR (m:Memory) ON (m.tenant, m.project_id, m.tier, m.importance);
