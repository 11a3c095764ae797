"""What `fgcrl retrofit scan` finds: which files are read, the places in one, what happens to each criterion."""
