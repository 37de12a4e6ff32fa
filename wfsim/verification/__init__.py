"""Verification: searches and proofs over nets and workflows, answered as verdicts with witnesses."""
