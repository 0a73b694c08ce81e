"""The front door: parse options, call the API, print. No mathematics."""
