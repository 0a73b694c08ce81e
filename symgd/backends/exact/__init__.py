"""Values correctly rounded from many digits."""
