"""How a region becomes an array of fixed size."""
