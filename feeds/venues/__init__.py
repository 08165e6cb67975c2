"""One real exchange a file: its addresses, limits, symbol map and pure parse functions, nothing else."""
