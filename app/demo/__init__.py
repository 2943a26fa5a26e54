"""A small team's memory, for looking around: `loci demo` loads it through the API."""
