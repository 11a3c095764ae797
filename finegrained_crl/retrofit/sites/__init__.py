"""Which place a word names, and what is to be done there."""
