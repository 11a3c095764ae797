"""Drawing the demo data: a supersampled canvas, scenery, birds and faces. No data set by itself."""
