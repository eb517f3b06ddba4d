import os
import re
import tempfile
import unittest

from rune_sandbox import scratch, seccomp, wire

HEADERS = {0: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 1: "/usr/include/asm-generic/unistd.h"}


class Numbers(unittest.TestCase):
    def test_system_call_numbers_are_the_kernels(self):
        tables = (
            seccomp.REFUSED
            | seccomp.SIGNALS
            | seccomp.QUEUED_SIGNALS
            | seccomp.SOCKETS
            | {"clone": seccomp.CLONE, "clone3": seccomp.CLONE3, "prlimit64": seccomp.PRLIMIT64}
        )
        for column, header in HEADERS.items():
            if not os.path.exists(header):
                self.skipTest(f"{header} is not installed")
            with open(header, encoding="utf-8") as file:
                known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", file.read())}
            self.assertEqual({name: numbers[column] for name, numbers in tables.items()}, {name: known.get(name) for name in tables})

    def test_the_filter_fits_and_every_jump_stays_inside(self):
        for own_signals_only in (True, False):
            rules = seccomp.program(own_signals_only)
            self.assertLess(len(rules), 4096)
            for at, (_, if_true, if_false, _) in enumerate(rules):
                self.assertLess(at + 1 + max(if_true, if_false), len(rules) + 1)


class Values(unittest.TestCase):
    def test_values_come_back_equal_and_of_the_same_type(self):
        for value in (
            None,
            True,
            0,
            -(2**80),
            0.1,
            float("-inf"),
            1 + 2j,
            "é\ud800",
            b"\0\xff",
            [],
            [[1], (2,)],
            {(1,): {2}},
            frozenset({"a"}),
            bytearray(b"x"),
        ):
            again = wire.decode(wire.encode(value))
            self.assertEqual((again, type(again)), (value, type(value)))

    def test_what_is_no_plain_value_is_refused(self):
        for value in (object(), len, iter([]), [object()], {1: lambda: 0}, type):
            with self.assertRaises(wire.Unsupported):
                wire.encode(value)

    def test_malformed_forms_are_broken_never_evaluated(self):
        for form in (
            {},
            {"a": 1, "b": 2},
            {"eval": "1"},
            {"set": [[1]]},
            {"set": 1},
            {"dict": [[[], 1]]},
            {"dict": [1]},
            {"int": "zz"},
            {"float": 1},
            {"bytes": "x"},
            {"complex": []},
            1.5,
        ):
            with self.subTest(form), self.assertRaises(wire.Broken):
                wire.decode(form)


class Directories(unittest.TestCase):
    def test_a_tree_deeper_than_any_path_is_removed(self):
        with tempfile.TemporaryDirectory() as parent:
            top = os.path.join(parent, "top")
            os.mkdir(top)
            here = os.open(top, os.O_RDONLY)
            for _ in range(3000):
                os.mkdir("deep", dir_fd=here)
                inner = os.open("deep", os.O_RDONLY, dir_fd=here)
                os.close(here)
                here = inner
            os.close(here)
            self.assertTrue(scratch.exceeds(top, 1 << 30))
            scratch.remove(top)
            self.assertEqual(os.listdir(parent), [])

    def test_links_are_removed_and_never_followed(self):
        with tempfile.TemporaryDirectory() as parent:
            kept, top = os.path.join(parent, "kept"), os.path.join(parent, "top")
            os.makedirs(os.path.join(top, "a"))
            os.mkdir(kept)
            open(os.path.join(kept, "file"), "w").close()
            os.symlink(kept, os.path.join(top, "a", "link"))
            os.symlink(kept, os.path.join(top, "moved-0"))
            self.assertFalse(scratch.exceeds(top, 1 << 20))
            scratch.remove(top)
            self.assertEqual(os.listdir(kept), ["file"])


if __name__ == "__main__":
    unittest.main()
