"""Whether a table has a row or a refusal of every record that went in."""
