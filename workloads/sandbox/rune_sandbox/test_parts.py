import os
import re
import tempfile
import unittest
from unittest import mock

from rune_sandbox import probe_inside, scratch, seccomp

HEADERS = {0: "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 1: "/usr/include/asm-generic/unistd.h"}


class Numbers(unittest.TestCase):
    def test_system_call_numbers_are_the_kernels(self):
        tables = seccomp.ALLOWED | seccomp.RULED | probe_inside.FORBIDDEN
        for column, header in HEADERS.items():
            with open(header, encoding="utf-8") as file:
                known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", file.read())}
            known.setdefault("newfstatat", known.get("fstatat"))  # two names of one call
            self.assertEqual({name: numbers[column] for name, numbers in tables.items()}, {name: known.get(name) for name in tables})

    def test_nothing_is_named_twice(self):
        self.assertEqual(set(seccomp.ALLOWED) & set(seccomp.RULED), set())
        self.assertEqual(set(seccomp.ALLOWED) & set(probe_inside.FORBIDDEN), set())

    def test_the_filter_fits_and_every_jump_stays_inside_on_both_architectures(self):
        for version in (0, 1, 3, 6, 7):
            for machine in seccomp.ARCHITECTURES:
                with self.subTest(version=version, machine=machine), mock.patch("os.uname", return_value=mock.Mock(machine=machine)):
                    rules = seccomp.program(version)
                    self.assertLess(len(rules), 4096)
                    for at, (_, if_true, if_false, _) in enumerate(rules):
                        self.assertLess(at + 1 + max(if_true, if_false), len(rules) + 1)
                        self.assertLess(max(if_true, if_false), 256)


class Directories(unittest.TestCase):
    def setUp(self):
        self.parent = self.enterContext(tempfile.TemporaryDirectory())
        self.descriptor = os.open(self.parent, os.O_RDONLY)
        self.addCleanup(os.close, self.descriptor)
        self.top = os.path.join(self.parent, "top")
        os.mkdir(self.top)

    def exceeds(self, most_bytes: int, closed_count: bool = True) -> bool:
        top = os.open(self.top, os.O_RDONLY)
        try:
            return scratch.exceeds(top, most_bytes, closed_count)
        finally:
            os.close(top)

    def test_a_tree_deeper_than_any_path_is_removed(self):
        here = os.open(self.top, os.O_RDONLY)
        for _ in range(3000):
            os.mkdir("deep", dir_fd=here)
            inner = os.open("deep", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(here)
        self.assertTrue(self.exceeds(1 << 30))
        scratch.remove("top", self.descriptor)
        self.assertEqual(os.listdir(self.parent), [])

    def test_links_are_removed_and_never_followed(self):
        kept = os.path.join(self.parent, "kept")
        os.makedirs(os.path.join(self.top, "a"))
        os.mkdir(kept)
        open(os.path.join(kept, "file"), "w").close()
        os.symlink(kept, os.path.join(self.top, "a", "link"))
        os.symlink(kept, os.path.join(self.top, "moved-0"))
        self.assertFalse(self.exceeds(1 << 20))
        scratch.remove("top", self.descriptor)
        self.assertEqual((os.listdir(self.parent), os.listdir(kept)), (["kept"], ["file"]))

    def test_a_directory_that_is_a_link_is_not_removed_through_it(self):
        os.symlink(self.top, os.path.join(self.parent, "link"))
        with self.assertRaises(OSError):
            scratch.remove("link", self.descriptor)
        self.assertTrue(os.path.isdir(self.top))

    def test_too_many_files_and_too_many_bytes_are_too_much(self):
        with open(os.path.join(self.top, "file"), "wb") as file:
            file.write(b"x" * 10_000)
        self.assertFalse(self.exceeds(1 << 20))
        self.assertTrue(self.exceeds(4096))

    def test_only_a_tmpfs_of_its_own_is_counted_as_a_whole(self):
        self.assertFalse(scratch.Volume(self.top).of_its_own)
        self.assertTrue(scratch.is_tmpfs("/dev/shm"))
        self.assertFalse(scratch.is_tmpfs("/dev/shm/.."))


if __name__ == "__main__":
    unittest.main()
