"""One run, many runs, and the store that keeps them."""
