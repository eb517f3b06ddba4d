"""The runner that executes untrusted programs: one small server, three kinds of locked process (candidate, judge, probe)."""
