"""Recordings as feeds: `ticks` plays a file with these `columns`, `folder` a `recording` written by `record_raw`."""
