"""Learning rates that are proven to descend, by interval arithmetic over boxes."""
