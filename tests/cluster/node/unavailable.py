"""What ends a run that cannot be made on this machine."""

EXIT_CODE = 77  # of a test that was skipped, as Automake and others have it


class Unavailable(Exception):  # noqa: N818 - it is a reason, no error
    """This machine cannot run a node. The text says why, in one line."""
