"""The sweep pipeline: hyper-parameters chosen on held-out pictures, its trials side by side."""
