"""PoseBERT without torch: poses as rotations of segments, windows over time, inference by onnxruntime."""
