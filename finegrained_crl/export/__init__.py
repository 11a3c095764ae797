"""A finished run as a model for other programs: ONNX, TorchScript, torch.export, timm; checked against the run."""
