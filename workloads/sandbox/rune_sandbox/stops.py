"""Why tests can't continue: each with its outcome."""

MAX_ERROR = 2000  # of an error that are reported


class Stop(BaseException):
    """The tests can't continue. No `except Exception` in a test may swallow it; once raised, nothing passes."""

    outcome = "Error"


class Uncrossable(TypeError):
    """A value that can't cross and has no proxy either."""


class Lost(Stop):
    """The candidate no longer responds."""


class Unusable(Stop):
    """The tests do what can't be judged here, or can't run at all, whatever the program is."""

    outcome = "TestsUnusable"


class TooDeep(Stop):
    """Tests and program call each other without end."""


class Spent(Stop):
    """The received data is more than this process can hold."""

    outcome = "OutOfMemory"


class TooMuch(Stop):
    """The received data is more than can cross."""

    outcome = "OutputLimit"
