"""Pictures of an attacker, held against those that are attacked."""
