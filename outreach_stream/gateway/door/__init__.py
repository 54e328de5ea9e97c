"""Who comes in: tokens and their scopes, limits, the same site, and the headers of every answer."""
