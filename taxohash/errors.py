"""The one exception for what a user can put right."""


class TaxohashError(ValueError):
    """Bad input or a broken promise of the environment.

    The message is one line that names the thing, its value and the remedy. Commands print it
    without a traceback and exit with 2; the server answers 4xx.
    """
