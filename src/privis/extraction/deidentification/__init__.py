"""DICOM files without the people in them: headers after PS3.15 Annex E, text in pixels found and painted over.

Evolution: attribute_actions_<edition>.csv holds what Table E.1-1 of that edition says; a new edition is a new file.
What the table does not name is decided by its value representation, so an attribute of tomorrow goes where it is text.
"""
