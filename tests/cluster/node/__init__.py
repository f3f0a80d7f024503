"""A real Kubernetes node on this machine, without Docker: README.md beside says what it is and what it is not."""

from tests.cluster.node.node import Node
from tests.cluster.node.unavailable import Unavailable

__all__ = ["Node", "Unavailable"]
