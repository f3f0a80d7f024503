"""How fast training, evaluation, serving and the code store are."""
