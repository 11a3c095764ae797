"""What the benchmark of the input says of its stages."""

from tool_scripts import needs_tools, tool


@needs_tools
def test_the_benchmark_says_which_stage_limits():
    limits_of = tool("benchmarks.input").limits_of
    stages = [
        {"size": 9, "stage": "read", "where": "loader", "us per picture": 100.0},
        {"size": 9, "stage": "collate", "where": "loader", "us per picture": 20.0},
        {"size": 9, "stage": "step", "where": "training process", "us per picture": 80.0},
        {"size": 8, "stage": "step", "where": "training process", "us per picture": 8000.0},
    ]
    assert limits_of(stages, 9, [1, 2]) == [
        "9 px, 1 loader process: 8,333 images/s from the loaders, 12,500 in the training process: read limits",
        "9 px, 2 loader processes: 16,667 images/s from the loaders, 12,500 in the training process: step limits",
    ]
