"""Commands of videos."""
