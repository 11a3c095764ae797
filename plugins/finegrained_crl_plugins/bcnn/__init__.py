"""B-CNN: bilinear pooling of feature maps, trained in two stages."""
