"""Stages of a submission whose server is a running ``privis serve``, for the harness's ``--remote``."""
