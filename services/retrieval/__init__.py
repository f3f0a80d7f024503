"""The retrieval service: one generation, searched by picture over HTTP."""
