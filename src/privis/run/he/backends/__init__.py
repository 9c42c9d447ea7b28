"""Adapters of the engine to libraries: Microsoft SEAL, OpenFHE."""
