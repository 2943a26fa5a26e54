"""`python -m app.cli` is `loci`."""

from app.cli import main

main()
