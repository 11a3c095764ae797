"""Destruction and construction learning (DCL): shuffled blocks, and a head that finds them again."""
