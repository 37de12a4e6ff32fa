"""Event logs of other systems, made into histories: docs/import.md."""
