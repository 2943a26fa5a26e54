"""What takes more than one repository, or has a side effect beside the database."""
