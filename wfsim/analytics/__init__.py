"""What a history says: hot paths and other answers as tables and figures."""
