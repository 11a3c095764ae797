"""Data sets that are published as files of many pictures: CIFAR and SVHN."""
