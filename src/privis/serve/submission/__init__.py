"""Submissions to the benchmark harness of HomomorphicEncryption.org: a directory of stages, each a process on files."""
