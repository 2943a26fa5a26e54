CYPHER 25 CREATE CONSTRAINT import_chunk_id IF NOT EXISTS FOR (c:ImportChunk) REQUIRE (c.tenant, c.id) IS UNIQUE;
CYPHER 25 CREATE INDEX import_chunk_age IF NOT EXISTS FOR (c:ImportChunk) ON (c.created_at);
