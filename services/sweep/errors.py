"""What can go wrong with a sweep as a whole."""


class SweepError(Exception):
    """A sweep can not be begun as it was asked for; one sentence. The exit code is 2."""


class BrokenOffError(Exception):
    """A sweep can not go on: its workers or its disk are gone; one sentence. The exit code is 1."""
