import ctypes
import errno
import os
import sys

L = ctypes.CDLL(None, use_errno=True)


def sc(number, *arguments):
    """A system call by its x86-64 number; the negative errno where it fails."""
    result = L.syscall(ctypes.c_long(number), *[ctypes.c_long(x) if isinstance(x, int) else x for x in arguments])
    return result if result >= 0 else -ctypes.get_errno()


def tell(result):
    return result if result >= 0 else errno.errorcode.get(-result, result)
