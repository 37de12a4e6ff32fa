"""Event histories in DuckDB: written by simulator and runtime, questioned in SQL, replayed through `step`."""
