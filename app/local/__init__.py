"""What makes `loci serve` work on a machine that has only Python: verified artifacts, a Java, a managed Neo4j."""
