"""The commands that do not serve, by topic; `ticker.cli` imports a module when its command is called."""
