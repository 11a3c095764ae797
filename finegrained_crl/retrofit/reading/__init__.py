"""What source code says, without running it."""
