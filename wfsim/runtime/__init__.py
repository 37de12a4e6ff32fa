"""Running workflows for real: instances as rows of a database, a stimulus as one transaction."""
