"""Names of people under a key of a site, instead of their ids."""
