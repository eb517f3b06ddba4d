import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import slim


def test_symbols_go_to_the_library_that_they_are_asked_from():
    symbols = {
        "cudnnCreate": ("libcudnn.so.9", "libcudnn.so.9"),
        "_ZN2at4cuda5sleepEl": None,
        "memcpy": ("libc.so.6", "GLIBC_2.14"),
    }
    stubs = slim.placed(symbols, {"libcudnn.so.9", "libtorch_cuda.so", "libnccl.so.2"})
    assert stubs["libcudnn.so.9"] == {"libcudnn.so.9": ["cudnnCreate"]}
    assert stubs["libtorch_cuda.so"] == {None: ["_ZN2at4cuda5sleepEl"]}
    assert stubs["libnccl.so.2"] == {}


def test_constructors_make_an_object_with_a_vtable():
    assert slim.behaviour("_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb") == "construct"
    assert slim.behaviour("_ZN4c10d15get_gil_checkerEv") == "reference"
    assert slim.behaviour("_ZN2at4cuda5sleepEl") == "nothing"


def test_variables_are_told_from_functions():
    assert slim.is_data(["_ZTVN4c10d16ProcessGroupNCCLE", "_ZN2at4cuda5sleepEl", "cudnnCreate"]) == {
        "_ZTVN4c10d16ProcessGroupNCCLE"
    }


def test_a_stub_is_a_library_with_these_symbols_and_versions(tmp_path):
    path = tmp_path / "libcudnn.so.9"
    slim.write_stub(
        path, {"libcudnn.so.9": ["cudnnCreate"], None: ["_ZN2at4cuda5sleepEl", "_ZTIN4c10d16ProcessGroupNCCLE"]}
    )
    table = subprocess.run(
        ["readelf", "-W", "--dyn-syms", "-d", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert "[libcudnn.so.9]" in table
    assert "cudnnCreate@@libcudnn.so.9" in table
    assert "_ZN2at4cuda5sleepEl" in table
