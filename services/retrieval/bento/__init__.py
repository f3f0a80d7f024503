"""The Bento: building it, serving it, and the service that it holds."""
