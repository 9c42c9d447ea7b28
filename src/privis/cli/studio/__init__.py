"""``privis studio``: a page on this machine alone that shows an image, what is drawn from it, and what leaves."""
