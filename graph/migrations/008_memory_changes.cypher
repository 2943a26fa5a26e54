CYPHER 25 CREATE CONSTRAINT memory_change_id IF NOT EXISTS FOR (c:MemoryChange) REQUIRE (c.tenant, c.id) IS UNIQUE;
CYPHER 25 CREATE INDEX memory_change_newest IF NOT EXISTS FOR (c:MemoryChange) ON (c.tenant, c.created_at);
CYPHER 25 CREATE INDEX memory_change_of_agent IF NOT EXISTS FOR (c:MemoryChange) ON (c.tenant, c.agent_id, c.created_at);
CYPHER 25 CREATE INDEX memory_change_of_session IF NOT EXISTS FOR (c:MemoryChange) ON (c.tenant, c.session_id, c.created_at);
CYPHER 25 CREATE INDEX memory_change_of_project IF NOT EXISTS FOR (c:MemoryChange) ON (c.tenant, c.project_id, c.created_at);
CYPHER 25 CREATE INDEX memory_change_of_user IF NOT EXISTS FOR (c:MemoryChange) ON (c.tenant, c.user_id, c.created_at);
