"""Where fits begin: draws, frequency scans, steps, and one of the equal descriptions of an end."""
