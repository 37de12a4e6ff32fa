"""Temporal as surroundings: a workflow there that lets `step` decide, and histories of ours in its form.

`workflow` and `worker` need the extra `temporal`; the others do not. Replay-verified against the SDK named in
docs/temporal.md; never run against a live server.
"""
