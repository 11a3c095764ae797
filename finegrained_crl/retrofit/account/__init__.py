"""What really happened to a loss's value: gradients that flowed, updates, and what arrived at the logits."""
