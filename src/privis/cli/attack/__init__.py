"""``privis attack``: what somebody who has an output of Privis, and knows how it was made, gets out of it."""
