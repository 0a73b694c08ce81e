"""What a Result looks like: for people (`table`), for programs (`export`)."""
