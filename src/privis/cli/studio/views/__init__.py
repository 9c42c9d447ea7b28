"""What the page shows: each view gives, as JSON, what a command would have said."""
