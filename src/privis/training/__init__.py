"""Learning from private images: classifiers, projections, codebooks, networks; charged, resumable, saved.

`privis.privacy` says what a training is and what it guarantees; here it meets ledgers, files and features.
"""
