"""Moving a tenant's data in and out, as lines of JSON; see docs/transfer.md for the format."""
