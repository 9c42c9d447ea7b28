"""``privis face``: galleries of people, and who is on a picture."""
