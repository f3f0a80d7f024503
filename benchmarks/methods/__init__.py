"""Methods against methods: what published objectives and ours reach under the protocols of the papers."""
