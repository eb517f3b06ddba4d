"""`python3 -m rune_sandbox`: as process 1 it is a small init with the runner as its child;
otherwise it is the runner.
"""

import os
import signal
import sys
import threading

from rune_sandbox import config, lock
from rune_sandbox.server import Runner, Server


def main() -> int:
    lock.hide()
    contained = os.getpid() == 1
    if contained and (runner := os.fork()):
        return _init(runner)
    return _serve(contained)


def _init(runner: int) -> int:
    """Forward signals, reap orphans of process 1, exit as the runner exits."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: os.kill(runner, received))
    while True:
        pid, status = os.wait()
        if pid == runner:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _serve(contained: bool) -> int:
    if os.getuid() == 0:
        print("the runner must not be root: give the pod a user of its own (runAsUser)", file=sys.stderr)
        return 78
    try:
        settings = config.from_environment(contained=contained)
    except (OSError, ValueError) as error:
        print(f"the runner can't start: {error}", file=sys.stderr)
        return 78
    lock.adopt_orphans()
    server = Server(settings, Runner(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on {settings.host or '*'}:{server.server_port}", flush=True)
    server.serve_forever()
    return 0


sys.exit(main())
