"""Probes: thousands of small heads on the features of a frozen backbone, trained together and judged like any study."""
