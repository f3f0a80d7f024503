"""Hyper-parameters chosen on held-out data: trials that are suggested by what those before them came to (torch).

`space` says what is tried, `held_out` keeps pictures of the training split apart, `run` is the loop, `page` shows the trials.
The queries of an evaluation are never looked at.
"""
