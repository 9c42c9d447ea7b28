"""``privis choose``: from words about a job to a recommendation."""
