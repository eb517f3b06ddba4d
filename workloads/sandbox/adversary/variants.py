"""How the runner under attack is set up: as in the operator's pod, on older kernels, or in other environments of the
README.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    name: str
    what: str
    landlock_abi: int | None = None  # at most this version is offered; None: the kernel's own
    process_limit: int | None = None  # of the whole user, in place of a small PID limit of the pod
    own_volume: bool = False  # the output directory belongs to the runner's user, on this machine's disk


VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("pod", "as the operator starts it"),
        Variant("abi5", "as on Linux 6.10: Landlock refuses no signals and no abstract sockets", landlock_abi=5),
        Variant("abi2", "as on Linux 5.19: Landlock refuses neither TCP nor truncation", landlock_abi=2),
        Variant("abi1", "as on Linux 5.13: the first Landlock", landlock_abi=1),
        Variant("nolandlock", "a runtime class that the administrator names as Landlock's substitute", landlock_abi=0),
        Variant("pids", "where the pod may have fewer processes than one program", process_limit=60),
        Variant("standalone", "outside Kubernetes, with an output directory of the runner's own user", own_volume=True),
    )
}
