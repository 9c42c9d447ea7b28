"""Transcripts: what a server under HE, or one party of MPC, sees, and what an attacker makes of it."""
