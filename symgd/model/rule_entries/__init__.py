"""The entries of the catalogue of update rules, by family."""
