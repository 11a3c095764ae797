"""The `fgcrl` command, one file per sub-command."""
