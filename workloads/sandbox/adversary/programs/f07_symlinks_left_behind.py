# TRIES: to leave symlinks to outside directories everywhere, also under the names that the cleaner uses (moved-0…), so that the cleaning
# follows them. SUCCESS: something outside is changed, or something is left in the output volume.
#: check = changed; leftover
#: short = yes

import os

for n in range(30):
    os.symlink("__OPENDIR__", f"moved-{n}")
    os.makedirs(f"a{n}/b/c")
    os.symlink("__OPENDIR__", f"a{n}/b/link")
    os.symlink("__OPENDIR__", f"a{n}/moved-{n}")
    os.chmod(f"a{n}/b", 0)
os.symlink("moved-0", "loop")
os.symlink("loop2", "loop1")
os.symlink("loop1", "loop2")


def solve(x):
    return 2
