"""The exceptions for what a user can put right."""


class TaxohashError(ValueError):
    """Bad input or a broken promise of the environment.

    The message is one line that names the thing, its value and the remedy. Commands print it
    without a traceback and exit with 2; the server answers 4xx.
    """


class UnavailableError(TaxohashError):
    """What is needed does not answer, or cannot take it now: nothing is wrong with the input, and the same may go well later."""
