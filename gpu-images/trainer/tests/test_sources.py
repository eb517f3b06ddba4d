import tiny

from rune_trainer import sources
from rune_trainer.job import parse_job


def test_a_corpus_of_many_artifacts_is_pulled_by_one_client_for_each_repository(monkeypatch):
    """Each client gets a token of its own from the registry's token server."""
    digest, made = "sha256:" + "0" * 64, []
    named = [{"repository": f"rune/demo/{name}", "digest": digest} for name in ("a", "b", "a", "a")]
    job = parse_job(tiny.document(corpus={"trajectories": named, "include": ["Programs"], "digest": digest}))
    monkeypatch.setattr(sources, "Repository", lambda _url, _file, name: made.append(name) or name)
    monkeypatch.setattr(sources.trajectory, "pull", lambda repository, _: [repository])
    assert [source.item for source in sources.pull_sources(job)] == [each["repository"] for each in named]
    assert sorted(made) == ["rune/demo/a", "rune/demo/b"]
