"""Networks for pictures of 32 pixels, by name in timm's registry once `register_networks` was called."""

from finegrained_crl.networks.registry import NETWORKS, register_networks

__all__ = ["NETWORKS", "register_networks"]
