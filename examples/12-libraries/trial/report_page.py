"""report.json as a self-contained page: the findings first, then how they were obtained."""

import html
from typing import Any

WIDTH, HEIGHT, MARGIN = 640, 180, 34
NAMES = {
    "base": "base alone",
    "right": "adapter of the library's own session",
    "wrong": "adapter of another library's session",
    "mean": "mean of all adapters",
    "context": "the session in the prompt",
}
STYLE = "body{font:15px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child{text-align:left}svg{max-width:100%}figcaption{color:#666}"


def page(report: dict[str, Any]) -> str:
    parts = [f"<h1>Private libraries: {escaped(report['base']['name'])}</h1>", f"<p>{escaped(sentence(report))}</p>"]
    for name, title in (("newUses", "Uses that no training shows"), ("learntUses", "Uses as in training")):
        parts += [f"<h2>{title}</h2>", table(report["heldOut"][name])]
    training = report["training"]
    parts += [
        "<h2>Training</h2>",
        f"<p>Ended: {escaped(training['ending'])}.</p>",
        curve("loss of each step", list(enumerate(training["losses"], start=1))),
    ]
    contrast = [(look["step"], look["rightMinusWrong"]) for look in training["alarms"]]
    parts += [
        curve(
            "loss with another library's adapter minus loss with the right one, in nats per token, on libraries held out of the training",
            contrast,
        )
    ]
    parts += [
        "<h2>Time and settings</h2>",
        pairs({f"{name}, seconds": value for name, value in report["seconds"].items()}),
        pairs(report["settings"]),
    ]
    return (
        f'<!doctype html><meta charset="utf-8"><title>Private libraries</title><style>{STYLE}</style>{"".join(parts)}\n'
    )


def sentence(report: dict[str, Any]) -> str:
    """The finding in words; right minus wrong decides, a gain over the base proves nothing."""
    found = report["heldOut"]["newUses"]["rightAgainst"]
    nats, low, high = found["wrong"]["nats"]
    if low > 0:
        verdict = "The adapters hold what their sessions found out"
    elif high <= 0:
        verdict = "The adapters hold nothing of their sessions"
    else:
        verdict = "Whether the adapters hold what their sessions found out is not decided"
    points, from_, to = found["wrong"]["points"]
    return (
        f"{verdict}: on {report['heldOut']['newUses']['libraries']} libraries that were never trained on, another library's adapter costs {nats:.3f} nats per token "
        f"[{low:.3f}, {high:.3f}] more than the right one, and {points:.1f} points [{from_:.1f}, {to:.1f}] of exact programs. "
        f"Learnt from {report['corpus']['libraries']} libraries on {report['device']}."
    )


def table(found: dict[str, Any]) -> str:
    rows = ["<tr><th>arm</th><th>nats per token</th><th>exact programs</th><th>right adapter's lead, points</th></tr>"]
    for arm, values in found["arms"].items():
        lead = found["rightAgainst"].get(arm)
        rows.append(
            f"<tr><td>{NAMES[arm]}</td><td>{span(values['nats'], 3)}</td><td>{span([100 * x for x in values['exact']], 1)} %</td><td>{span(lead['points'], 1) if lead else '–'}</td></tr>"
        )
    return f"<table>{''.join(rows)}</table><p>{found['examples']} programs of {found['libraries']} libraries; 95 % intervals over libraries.</p>"


def span(values: list[float], digits: int) -> str:
    estimate, lower, upper = values
    return f"{estimate:.{digits}f} [{lower:.{digits}f}, {upper:.{digits}f}]"


def curve(title: str, points: list[tuple[float, float]]) -> str:
    if not points:
        return ""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    left, low, high = min(xs), min(0.0, *ys), max(0.0, *ys)
    width, height = (max(xs) - left) or 1, (high - low) or 1

    def at(x: float, y: float) -> str:
        return f"{MARGIN + (x - left) / width * (WIDTH - 2 * MARGIN):.1f},{HEIGHT - MARGIN + (low - y) / height * (HEIGHT - 2 * MARGIN):.1f}"

    line = " ".join(at(x, y) for x, y in points)
    zero = f'<polyline points="{at(left, 0)} {at(max(xs), 0)}" stroke="#bbb" fill="none"/>'
    ends = f'<text x="2" y="{MARGIN - 6}">{high:.3g}</text><text x="2" y="{HEIGHT - MARGIN + 16}">{low:.3g}</text><text x="{WIDTH - MARGIN}" y="{HEIGHT - 4}" text-anchor="end">step {max(xs):g}</text>'
    drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" font-size="11" role="img" aria-label="{escaped(title)}">{zero}<polyline points="{line}" stroke="#1f6feb" stroke-width="1.5" fill="none"/>{ends}</svg>'
    return f"<figure>{drawing}<figcaption>{escaped(title)}</figcaption></figure>"


def pairs(values: dict[str, Any]) -> str:
    return f"<table>{''.join(f'<tr><td>{escaped(name)}</td><td>{escaped(str(value))}</td></tr>' for name, value in values.items())}</table>"


def escaped(text: str) -> str:
    return html.escape(text, quote=True)
