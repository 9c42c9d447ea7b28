"""Features, one file each; import them from ``privis``."""
