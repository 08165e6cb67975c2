"""Where prices come from: exchanges, recorded files, the simulator. One adapter, one file."""
