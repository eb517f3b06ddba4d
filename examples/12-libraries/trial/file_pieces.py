"""Splits a folder into pieces and joins them again, for a machine to which only small files can be copied.

    file_pieces.py split FOLDER --out PIECES [--mebibytes 60]
    file_pieces.py join PIECES --into FOLDER

The files, concatenated, are cut into pieces of equal size. `manifest.json` has the SHA-256 of every piece and file:
`join` writes a folder whose every byte is that of the first, or reports which piece is missing or changed and writes
nothing.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

MANIFEST, SCHEMA = "manifest.json", "rune.dev/pieces/v1"
BLOCK = 1 << 20


def blocks_of(paths: list[pathlib.Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                yield block


def sha256_of(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    for block in blocks_of([path]):
        digest.update(block)
    return digest.hexdigest()


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def split(folder: pathlib.Path, out: pathlib.Path, size: int) -> list[pathlib.Path]:
    """Writes pieces of `size` bytes, the last one smaller, and the manifest."""
    files = files_of(folder)
    if not files:
        raise SystemExit(f"{folder} holds no file")
    out.mkdir(parents=True, exist_ok=True)
    pieces, rest = list[pathlib.Path](), bytearray()
    for block in blocks_of(files):
        rest += block
        while len(rest) >= size:
            pieces.append(piece(out, len(pieces), bytes(rest[:size])))
            del rest[:size]
    if rest or not pieces:
        pieces.append(piece(out, len(pieces), bytes(rest)))
    manifest = {
        "schema": SCHEMA,
        "pieces": [{"name": p.name, "sha256": sha256_of(p)} for p in pieces],
        "files": [
            {"path": str(f.relative_to(folder)), "bytes": f.stat().st_size, "sha256": sha256_of(f)} for f in files
        ],
    }
    (out / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return pieces


def piece(out: pathlib.Path, number: int, content: bytes) -> pathlib.Path:
    path = out / f"piece-{number:03}"
    path.write_bytes(content)
    return path


def join(pieces: pathlib.Path, into: pathlib.Path) -> None:
    """Makes `into` appear atomically."""
    manifest = manifest_of(pieces)
    paths = [pieces / each["name"] for each in manifest["pieces"]]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise SystemExit(
            f"{len(missing)} of {len(paths)} pieces are missing from {pieces}: {', '.join(missing[:5])}; bring them and join again"
        )
    changed = [
        path.name for path, each in zip(paths, manifest["pieces"], strict=True) if sha256_of(path) != each["sha256"]
    ]
    if changed:
        raise SystemExit(f"{', '.join(changed[:5])} in {pieces} is not what was cut; bring it again")
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=f".{into.name}.") as scratch:
        whole = pathlib.Path(scratch, into.name)
        write_files(blocks_of(paths), manifest["files"], whole)
        shutil.rmtree(into, ignore_errors=True)
        whole.rename(into)


def manifest_of(pieces: pathlib.Path) -> dict[str, Any]:
    try:
        manifest = json.loads((pieces / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise SystemExit(
            f"{pieces / MANIFEST} can't be read: {error}; it is cut with the pieces and travels with each of them"
        ) from error
    if manifest.get("schema") != SCHEMA:
        raise SystemExit(f"{pieces / MANIFEST} is no list of pieces")
    return manifest


def write_files(blocks: Iterator[bytes], files: list[dict[str, Any]], folder: pathlib.Path) -> None:
    rest = b""
    for each in files:
        path, left, digest = folder / each["path"], each["bytes"], hashlib.sha256()
        if not path.resolve().is_relative_to(folder.resolve()):
            raise SystemExit(f"the manifest names {each['path']}, which is outside the folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while left:
                rest = rest or next(blocks, b"")
                taken, rest = rest[:left], rest[left:]
                if not taken:
                    raise SystemExit(f"the pieces end inside {each['path']}")
                file.write(taken)
                digest.update(taken)
                left -= len(taken)
        if digest.hexdigest() != each["sha256"]:
            raise SystemExit(f"{each['path']} is not what was cut; bring the pieces again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    cut = commands.add_parser("split")
    cut.add_argument("folder", type=pathlib.Path)
    cut.add_argument("--out", type=pathlib.Path, required=True)
    cut.add_argument("--mebibytes", type=int, default=60)
    back = commands.add_parser("join")
    back.add_argument("pieces", type=pathlib.Path)
    back.add_argument("--into", type=pathlib.Path, required=True)
    asked = parser.parse_args()
    if asked.command == "split":
        print(f"{len(split(asked.folder, asked.out, asked.mebibytes << 20))} pieces in {asked.out}")
    else:
        join(asked.pieces, asked.into)
        print(f"joined into {asked.into}")


if __name__ == "__main__":
    main()
