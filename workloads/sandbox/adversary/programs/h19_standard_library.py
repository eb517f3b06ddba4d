# HONEST: a tour of the standard library: hashlib, ssl, sqlite3, zlib, decimal, zoneinfo, locale, platform, tempfile, uuid, getpass,
# socket.gethostname, logging, csv, secrets, mimetypes. Must pass.
#: kind = honest

import csv, decimal, hashlib, io, logging, mimetypes, platform, secrets, socket, sqlite3, ssl, tempfile, uuid, zlib, zoneinfo, datetime, locale, os


def solve(x):
    hashlib.scrypt(b"a", salt=b"b", n=2, r=1, p=1)
    hashlib.new("md5", b"x")
    hashlib.blake2b(b"x")
    ssl.create_default_context()
    c = sqlite3.connect("db.sqlite")
    c.execute("create table t(a)")
    c.execute("insert into t values (1)")
    c.commit()
    datetime.datetime.now(zoneinfo.ZoneInfo("Europe/Berlin"))
    platform.platform()
    socket.gethostname()
    uuid.uuid1()
    locale.setlocale(locale.LC_ALL, "")
    mimetypes.guess_type("a.html")
    logging.warning("hello")
    with tempfile.TemporaryDirectory() as d, tempfile.NamedTemporaryFile() as f:
        f.write(zlib.compress(b"x"))
        os.listdir(d)
    return x + int(decimal.Decimal(1)) + csv.field_size_limit() * 0
