"""Faces in photographs: found with five landmarks, turned upright and cut out as training data has them."""
