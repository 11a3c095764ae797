"""Recipe, session, loop, run folder: how a classifier is trained."""
