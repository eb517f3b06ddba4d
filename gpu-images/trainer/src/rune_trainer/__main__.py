import os
import signal
import sys

# What follows takes seconds to import, in which there is nothing to save; process 1 of a container ignores a signal that nobody listens to.
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))

from rune_trainer.main import main  # noqa: E402 (the signal comes first)

sys.exit(main())
