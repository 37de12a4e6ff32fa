"""A module for each version of the tables, which Alembic runs in their order."""
