"""DICOM files in, with the extra ``privis[dicom]``: from stored samples to the grey or colour of a picture.

Evolution: what a file becomes is a function of the file and of `privis.io.images.dicom.reading.DicomReading`, in an
order that is fixed: palette, modality LUT or rescale, window, inversion, bits.
"""
