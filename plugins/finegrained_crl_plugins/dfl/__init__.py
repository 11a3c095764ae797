"""Discriminative filter bank (DFL-CNN): 1 x 1 filters of each class look for that class's patches."""
