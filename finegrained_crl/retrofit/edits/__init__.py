"""Changing the text of a call and nothing else of a file: the expression, its bytes, the diff."""
