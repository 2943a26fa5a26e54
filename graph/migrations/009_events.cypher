CYPHER 25 CREATE INDEX event_waiting IF NOT EXISTS FOR (e:Event) ON (e.waiting, e.at);
CYPHER 25 CREATE INDEX event_number IF NOT EXISTS FOR (e:Event) ON (e.tenant, e.number);
CYPHER 25 CREATE INDEX event_of_noun IF NOT EXISTS FOR (e:Event) ON (e.tenant, e.noun_id, e.number);
CYPHER 25 CREATE INDEX event_of_type IF NOT EXISTS FOR (e:Event) ON (e.tenant, e.type, e.number);
CYPHER 25 CREATE INDEX event_age IF NOT EXISTS FOR (e:Event) ON (e.created_at);
CYPHER 25 CREATE INDEX webhook_due IF NOT EXISTS FOR (w:Webhook) ON (w.due_at);
CYPHER 25 CREATE INDEX delivery_turn IF NOT EXISTS FOR (d:Delivery) ON (d.tenant, d.webhook_id, d.state, d.number);
CYPHER 25 CREATE INDEX delivery_of_event IF NOT EXISTS FOR (d:Delivery) ON (d.tenant, d.event_id);
