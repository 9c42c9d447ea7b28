"""Bytes of sources: of files, of objects in stores, of members of shards, all read through one port."""
