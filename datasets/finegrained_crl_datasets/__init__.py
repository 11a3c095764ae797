"""Readers of the public data sets' official layouts, and makers of generated ones; found by name through discovery."""
