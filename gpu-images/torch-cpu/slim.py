"""slim.py SITE_PACKAGES: makes PyPI's CUDA build of torch run on machines without CUDA, without its CUDA libraries.

PyPI serves torch for Linux with CUDA only; the CPU build is on a separate index that few mirrors carry. The
CUDA build imports and computes on CPUs, but the dynamic linker wants some three gigabytes of libraries that are
never called. This writes a stub for each: a shared object of a few kilobytes with the same name, symbols and symbol
versions, whose functions return 0. torch then reports that CUDA isn't available. For CPU images only.

libtorch_cuda.so itself, 470 MB, is replaced in the same way. Needs binutils (as, ld, c++filt) and pyelftools.
"""

import collections
import glob
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

REPLACED = ("libtorch_cuda.so",)
OPENED_ON_FIRST_USE_OF_CUDA = ("libtorch_cuda_linalg.so", "libcaffe2_nvrtc.so", "libtorch_nvshmem.so")
CUDA = ("libtorch_cuda", "libcu", "libnv", "libnccl")
SYSTEM = (
    "libc.so.6",
    "libm.so.6",
    "libstdc++.so.6",
    "libgcc_s.so.1",
    "librt.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "ld-linux-x86-64.so.2",
)
UNVERSIONED_HOME = "libtorch_cuda.so"
"""Symbols without a version name no library; this one is found by everything that is linked against torch."""
RETURNS_REFERENCE = frozenset({"_ZN4c10d15get_gil_checkerEv"})
"""Called while torch is imported, which writes through the returned reference."""
CONSTRUCTOR = re.compile(r"_ZN.*C[12]E")
"""An object of a stubbed class is created as a default argument while torch is imported;
its vtable must be a constructor.
"""

Versions = dict[str | None, list[str]]


def main(site: pathlib.Path) -> None:
    libraries = site / "torch" / "lib"
    for name in REPLACED + OPENED_ON_FIRST_USE_OF_CUDA:
        (libraries / name).unlink(missing_ok=True)  # unlinked, not truncated: it may be a hard link into a cache
    kept = [*libraries.glob("*.so*"), *(site / "torch").glob("_C*.so"), *extensions(site)]
    absent = absent_libraries(kept, site)
    for name, symbols in sorted(placed(undefined(kept), absent).items()):
        write_stub(libraries / name, symbols)
    print(f"{len(absent)} libraries replaced by stubs: {', '.join(sorted(absent))}")


def extensions(site: pathlib.Path) -> list[pathlib.Path]:
    """Libraries of other packages (torchvision, torchaudio) that are built against torch's CUDA library."""
    others = (p for name in ("torchvision", "torchaudio", "torchcodec") for p in site.glob(f"{name}/**/*.so"))
    return [path for path, elf in elf_files(others) if "libtorch_cuda.so" in needed_names(elf)]


def needed_names(elf: ELFFile) -> set[str]:
    return {tag.needed for tag in elf.get_section_by_name(".dynamic").iter_tags("DT_NEEDED")}


def elf_files(paths: Iterable[pathlib.Path]) -> Iterator[tuple[pathlib.Path, ELFFile]]:
    for path in paths:
        with path.open("rb") as file:
            yield path, ELFFile(file)


def system_libraries() -> list[pathlib.Path]:
    found = [
        pathlib.Path(p)
        for n in SYSTEM
        for d in ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64")
        for p in glob.glob(f"{d}/{n}")
    ]
    return list({p.resolve(): p for p in found}.values())


def absent_libraries(kept: list[pathlib.Path], site: pathlib.Path) -> set[str]:
    """Libraries that the kept ones need and nothing here provides."""
    needed = set().union(*(needed_names(elf) for _, elf in elf_files(kept)))
    provided = (
        {p.name for p in kept}
        | {p.name for p in system_libraries()}
        | {os.path.basename(p) for d in ("nvidia", "*.libs") for p in glob.glob(f"{site}/{d}/**/*.so*", recursive=True)}
    )
    return {name for name in needed - provided - set(SYSTEM) if name.startswith(CUDA)}


def undefined(kept: list[pathlib.Path]) -> dict[str, tuple[str, str] | None]:
    """Symbol that no kept or system library defines → (library, version) that it is requested from, if stated."""
    defined = {
        s.name
        for _, elf in elf_files([*kept, *system_libraries()])
        for s in dynamic_symbols(elf)
        if s["st_shndx"] != "SHN_UNDEF"
    }
    asked: dict[str, tuple[str, str] | None] = {}
    for _, elf in elf_files(kept):
        versions = elf.get_section_by_name(".gnu.version")
        homes = needed_versions(elf.get_section_by_name(".gnu.version_r"))
        for index, symbol in enumerate(dynamic_symbols(elf)):
            # A weak symbol may stay absent, and some must (initialisers of thread-local variables).
            if (
                symbol["st_shndx"] == "SHN_UNDEF"
                and symbol["st_info"]["bind"] != "STB_WEAK"
                and symbol.name
                and symbol.name not in defined
            ):
                home = homes.get(versions.get_symbol(index)["ndx"]) if versions else None
                asked[symbol.name] = home or asked.get(symbol.name)
    return asked


def dynamic_symbols(elf: ELFFile) -> Iterable[Any]:
    table = elf.get_section_by_name(".dynsym")
    return table.iter_symbols() if table else ()


def needed_versions(section: GNUVerNeedSection | None) -> dict[int, tuple[str, str]]:
    return (
        {}
        if section is None
        else {
            aux["vna_other"]: (library.name, aux.name)
            for library, entries in section.iter_versions()
            for aux in entries
        }
    )


def placed(symbols: dict[str, tuple[str, str] | None], absent: set[str]) -> dict[str, Versions]:
    """Stub library → version → symbols; a stub without symbols exists for its name alone."""
    stubs: dict[str, Versions] = {name: collections.defaultdict(list) for name in absent}
    for symbol, home in sorted(symbols.items()):
        library, version = home or (UNVERSIONED_HOME, None)
        if library in absent:
            stubs[library][version].append(symbol)
    return stubs


def is_data(names: list[str]) -> set[str]:
    """C++ names without an argument list: variables, vtables, type records."""
    plain = subprocess.run(
        ["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return {name for name, readable in zip(names, plain, strict=False) if name.startswith("_Z") and "(" not in readable}


PRELUDE = """
.text
nothing: xor %eax,%eax
 ret
reference: lea scratch(%rip),%rax
 ret
construct: lea vtable+16(%rip),%rax
 mov %rax,(%rdi)
 ret
.data
.balign 64
scratch: .zero 4096
vtable: .quad 0, type
 .rept 64
 .quad nothing
 .endr
type: .quad _ZTVN10__cxxabiv117__class_type_infoE+16, type_name, 0
type_name: .asciz "4stub"
""".strip().split("\n")


def behaviour(function: str) -> str:
    """The line of the prelude for a function."""
    if CONSTRUCTOR.match(function):
        return "construct"
    return "reference" if function in RETURNS_REFERENCE else "nothing"


def assembly(names: list[str]) -> str:
    data = is_data(names)
    lines = list(PRELUDE)
    for name in names:
        if name.startswith("_ZTI"):  # pybind11 hashes the name inside the type record, so there must be one
            lines += [
                f".globl {name}",
                f".type {name},@object",
                f".size {name},64",
                ".balign 8",
                f"{name}: .quad _ZTVN10__cxxabiv117__class_type_infoE+16",
            ]
            lines += [f" .quad {name}_name", " .zero 48", f'{name}_name: .asciz "{name[4:]}"']
        elif name in data:
            lines += [
                f".globl {name}",
                f".type {name},@object",
                f".size {name},1024",
                ".balign 8",
                f"{name}: .zero 1024",
            ]
        else:
            lines += [f".globl {name}", f".type {name},@function", f".set {name}, {behaviour(name)}"]
    return "\n".join([*lines, '.section .note.GNU-stack,"",@progbits', ""])


def write_stub(path: pathlib.Path, symbols: Versions) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source, script, built = (f"{scratch}/{name}" for name in ("stub.s", "versions", "stub.o"))
        pathlib.Path(source).write_text(assembly([name for names in symbols.values() for name in names]))
        versions = [
            f"{version} {{ global: {' '.join(f'{name};' for name in names)} }};"
            for version, names in symbols.items()
            if version
        ]
        pathlib.Path(script).write_text("\n".join(versions))
        subprocess.run(["as", "-o", built, source], check=True)
        subprocess.run(
            [
                "ld",
                "-shared",
                "-soname",
                path.name,
                "-o",
                str(path),
                *([f"--version-script={script}"] if versions else []),
                built,
            ],
            check=True,
        )
    path.chmod(0o755)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
