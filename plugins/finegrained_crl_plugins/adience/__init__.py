"""Plain fine-tuning of any timm classifier."""
