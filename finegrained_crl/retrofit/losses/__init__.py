"""The loss that stands in for cross-entropy, and the gradient that it must have."""
