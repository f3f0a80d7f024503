"""What runs beside the method: the code store and the servers."""
