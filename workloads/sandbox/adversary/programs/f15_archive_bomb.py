# TRIES: to unpack a zip and a gzip bomb into the output directory (1 GiB of zeros each). SUCCESS: over 200 MiB are held on the volume or
# the memory limit is exceeded.
#: check = peak held 200M; peak resident 400M
#: timeout = 6

import io, zipfile, gzip, shutil


def solve(x):
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        with z.open("bomb", "w", force_zip64=True) as f:
            for n in range(256):
                f.write(bytes(1 << 20))
    for n in range(4):
        try:
            zipfile.ZipFile(b).extract("bomb", f"to{n}")
        except OSError as e:
            print(e)
    zipfile.ZipFile(b).read("bomb")
    return 2
