"""What a fit says of its end beyond its status: remarks, chance, sloppy directions."""
