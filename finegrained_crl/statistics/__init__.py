"""What a study may claim: spread, intervals, tests, verdicts and power. numpy and scipy only."""
