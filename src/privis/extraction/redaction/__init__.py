"""Redaction: which regions of a picture are painted over, found by detectors at the owner."""
