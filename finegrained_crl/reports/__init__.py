"""Tables and figures from run folders; nothing here imports torch."""
