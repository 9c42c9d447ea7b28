"""``privis dicom``: medical files, before they leave."""
