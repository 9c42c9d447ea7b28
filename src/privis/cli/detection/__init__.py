"""Commands of detection: ``privis detect``."""
