"""Studies: a grid of runs over folds, losses, seeds and settings, started, continued and collected as one."""
