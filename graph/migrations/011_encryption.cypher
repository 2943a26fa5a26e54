CYPHER 25 CREATE CONSTRAINT data_key_place IF NOT EXISTS FOR (k:DataKey) REQUIRE (k.tenant, k.place) IS UNIQUE;
CYPHER 25 CREATE CONSTRAINT data_key_id IF NOT EXISTS FOR (k:DataKey) REQUIRE (k.tenant, k.id) IS UNIQUE;
CYPHER 25 CREATE INDEX data_key_named IF NOT EXISTS FOR (k:DataKey) ON (k.id);
CYPHER 25 CREATE INDEX tenant_encryption IF NOT EXISTS FOR (t:Tenant) ON (t.encryption);
CYPHER 25 CREATE INDEX tenant_seal_from IF NOT EXISTS FOR (t:Tenant) ON (t.seal_from);
