"""Recordings as feeds: tick files, and folders written by `record_raw`."""
