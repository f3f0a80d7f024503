"""Our own start of the service: a supervisor, and a worker that serves the application behind guards of its own.

    main -> target, bentos, listening, store                 what is served, from where, at which address
         -> supervisor -> companion                          one worker at a time: restarted, watched, drained; the backfill beside it
    worker -> serving -> accepting, connections              accepts, bounds, drains
                      -> protocol -> heads, answers          one connection: uvicorn's HTTP/1.1, with deadlines

Nothing here knows the application but by the name of a function that makes it, and by its /readyz.
"""
