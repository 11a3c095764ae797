"""The records table and what is made from it: parts, pictures, batches."""
