"""Live market prices: a versioned snapshot store, its stream protocol, and what runs them."""

__version__ = "0.1.0"
