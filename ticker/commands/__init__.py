"""The commands that ask a running service, a file for each concern; `ticker.cli` imports them when they are called."""
