"""How a process follows the store: the protocol, the thread that drives it, and the swap of generations."""
