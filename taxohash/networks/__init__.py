"""Networks: backbones by name, and the hash layer on top."""
