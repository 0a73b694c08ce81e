"""What symgd is measured by, side by side with its peers: `python -m benchmarks`."""
