"""What Loci knows of Neo4j: the driver, the schema and one repository per noun. Imports nothing from `app`."""
