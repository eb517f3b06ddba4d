# HONEST: the tests capture what the program prints (contextlib.redirect_stdout). Must pass.
#: kind = honest


def solve(name):
    print("hello", name)


# ==== TESTS ====
import io, contextlib

out = io.StringIO()
with contextlib.redirect_stdout(out):
    solve("x")
assert out.getvalue().strip() == "hello x"
