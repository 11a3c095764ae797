"""Tables of your own: what their columns say, and pictures in the table itself."""
