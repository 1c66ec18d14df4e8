"""A user's own repository: what ``nodriza init`` finds there and writes there."""
