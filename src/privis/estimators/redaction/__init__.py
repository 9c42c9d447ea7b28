"""Who stays and who is painted, by what estimators decide."""
