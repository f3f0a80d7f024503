"""`python -m taxohash.cli`: the command where it is not on the PATH."""

from taxohash.cli.main import main

main()
