"""Why tests can't go on: each with the outcome that it is."""

MAX_ERROR = 2000  # characters that are told of an error


class Stop(BaseException):
    """The tests can't go on. No `except Exception` in a test may swallow that; once there, nothing passes."""

    outcome = "Error"


class Uncrossable(TypeError):
    """A value that can't cross, and has no proxy either."""


class Lost(Stop):
    """The candidate can't be asked any more."""


class Unusable(Stop):
    """The tests do what can't be judged here, or can't run at all, whatever the program is."""

    outcome = "TestsUnusable"


class TooDeep(Stop):
    """Tests and program call each other without end."""


class Spent(Stop):
    """What came back is more than this process can hold."""

    outcome = "OutOfMemory"


class TooMuch(Stop):
    """More came back than can cross."""

    outcome = "OutputLimit"
