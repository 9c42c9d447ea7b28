"""DICOM files: what is read beside GDCM and beside windows worked out by hand, and how fast."""
