"""Inside the program's processes: hooks, frames, and what happens at each call."""
