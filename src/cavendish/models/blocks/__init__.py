"""Pure architecture that two or more models use identically."""
