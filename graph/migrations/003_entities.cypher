CYPHER 25 CREATE INDEX entity_of_type IF NOT EXISTS FOR (e:Entity) ON (e.tenant, e.entity_type, e.created_at);
CYPHER 25 CREATE INDEX entity_name_newest IF NOT EXISTS FOR (n:EntityName) ON (n.tenant, n.created_at);
CYPHER 25 CREATE CONSTRAINT topic_id IF NOT EXISTS FOR (t:Topic) REQUIRE (t.tenant, t.id) IS UNIQUE;
CYPHER 25 CREATE INDEX topic_rank IF NOT EXISTS FOR (t:Topic) ON (t.tenant, t.rank);
