"""What was recorded, as feeds: tick files, and folders that `record_raw` has written."""
