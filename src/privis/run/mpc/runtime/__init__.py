"""Parties at work: worker processes, their supervisors, links, shares."""
