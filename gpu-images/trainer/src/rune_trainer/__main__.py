import os
import signal
import sys

# The following imports take seconds, with nothing to save yet; process 1 of a container ignores a signal without a
# handler.
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))

from rune_trainer.main import main  # noqa: E402 (the signal comes first)

sys.exit(main())
