"""The service: an engine behind HTTP, for many callers that are kept apart, and the client that reaches it."""
