"""The figures as one self-contained page, for somebody who has never seen the project."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from matplotlib.axes import Axes
from voicestress_model.evaluation.drawing import INK, MUTED, SERIES, drawn_in_page_colours, new_figure, to_svg

from load_tests.bench.verdicts import shown, verdicts

Found = Mapping[str, Any]


def render(found: Found) -> str:
    """The page of what ``proof.py`` found; parts that were not measured are left out."""
    with drawn_in_page_colours():
        body = "".join(section(found[name]) for name, section in _SECTIONS.items() if name in found)
    style = files("voicestress_model.evaluation").joinpath("page.css").read_text(encoding="utf-8")
    about = found["about"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>voicestress: how fast it is</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        "<h1>How fast it is</h1>"
        f'<p class="lead">{escape(about["architecture"])}, {about["threads"]} threads of '
        f"{escape(about['processor'])}.</p>"
        '<div class="card"><p>Every figure is from one run on one machine: the ratios between engines hold elsewhere, '
        "the absolute figures do not. An audio-second is a second of speech; 10 audio-seconds a second is ten times "
        "real time. The weights are random, which costs what trained ones do and says nothing about scores. Nothing "
        "here was measured on a GPU.</p></div>"
        f"{_judged(found)}{body}<h2>How it was measured</h2><pre><code>{escape(about['command'])}</code></pre>"
        f'<p class="note">{escape(versions)}</p></main>\n</body>\n</html>\n'
    )


def _judged(found: Found) -> str:
    rows = []
    for verdict in verdicts(found):
        wanted = f"{'at most ' if verdict.at_most else ''}{verdict.wanted:g} {verdict.unit}"
        reached = "reached" if verdict.reached else "<strong>short</strong>"
        rows.append([escape(verdict.what), wanted, f"<strong>{shown(verdict.measured)}</strong>", reached])
    return "<h2>In short</h2>" + _table(["What", "Wanted", "Measured", ""], rows)


def _engines(found: Found) -> str:
    rows = [
        [escape(e["name"]), f"{e['audio_s_per_s']:.1f}", str(e["batch_size"]),
         f"<strong>{e['ratio']:.2f}</strong> <small>[{e['lowest']:.2f}, {e['highest']:.2f}]</small>",
         *(f"{rate:.1f}" for rate in e["by_batch_size"].values())]
        for e in found["engines"]
    ]  # fmt: skip
    sizes = list(found["engines"][0]["by_batch_size"])
    header = ["Engine", "Audio-seconds a second", "Best batch", "Times Hugging Face", *(f"batch of {s}" for s in sizes)]
    ceiling = found["ceiling_audio_s_per_s"]

    def draw(axes: Axes) -> None:
        names = [engine["name"] for engine in found["engines"]]
        axes.barh(names, [engine["audio_s_per_s"] for engine in found["engines"]], color=SERIES[0], height=0.6)
        axes.axvline(ceiling, color=INK, linestyle=":", label="fp32 products alone, at this machine's peak")
        axes.invert_yaxis()
        axes.set_xlabel("audio-seconds a second")
        axes.legend(loc="lower right")

    return (
        "<h2>Engines</h2><p>Windows of 1 to 8 s in the order they arrive, each engine at its best batch size, all in "
        "turns. Engines that need equal lengths pad a batch to its longest window.</p>"
        + _table(header, rows)
        + _picture(draw, "engines", "Throughput of the engines", 9, 3)
        + "<p>One window of 5 s alone, in audio-seconds a second: "
        + ", ".join(f"{escape(e['name'])} {e['audio_s_per_s']:.1f} ({e['ratio']:.2f} times)" for e in found["alone"])
        + ".</p>"
        + f"<p>A second of audio takes {found['gflop_per_audio_s']:.1f} GFLOP. This machine multiplies matrices at "
        f"{found['peak_gflops']:.0f} GFLOP/s at best, which would be {ceiling:.1f} audio-seconds a second if nothing "
        f"but products took time. Padding-free fp32 reaches {found['fp32_share_of_ceiling']:.0%} of that.</p>"
    )


def _served(found: Found) -> str:
    text = "<h2>Served</h2><p>The same graphs through Triton over gRPC, against the engine called directly.</p>"
    rows = [
        [name, f"{s['direct_audio_s_per_s']:.1f}", f"{s['served_audio_s_per_s']:.1f}", f"{s['served_over_direct']:.2f}",
         f"{1000 * s['idle_direct_s']:.0f}", f"{1000 * s['idle_served_s']:.0f}"]
        for name, s in found.items()
    ]  # fmt: skip
    header = ["Precision", "Engine, audio-s/s", "Served, busy", "Ratio", "Engine, idle, ms", "Served, idle, ms"]
    text += _table(header, rows)
    for name, served in found.items():
        loads = [
            [f"{load['share']:.0%}", *(f"{load[q]:.2f}" for q in ("p50_s", "p95_s", "p99_s", "queue_p99_s")),
             f"{load['p99_s'] / load['queue_p99_s']:.2f}"]
            for load in served["loads"]
        ]  # fmt: skip
        text += (
            f"<h3>{name}: seconds from when a request was meant to be sent</h3><p>The last columns are what one "
            "server that takes the same requests in order would give with the engine's own times, and their "
            "ratio.</p>"
            + _picture(_latency_by_load(served["loads"]), f"latency-{name}", f"{name}: latency by load", 8, 3)
            + _table(["Load", "p50", "p95", "p99", "p99 of the queue", "ratio"], loads)
        )
    return text


def _latency_by_load(loads: Sequence[Mapping[str, float]]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        shares = [100 * load["share"] for load in loads]
        axes.plot(shares, [load["p99_s"] for load in loads], "o-", color=SERIES[0], label="99 % within")
        axes.plot(shares, [load["queue_p99_s"] for load in loads], "s--", color=MUTED, label="99 % of the queue's")
        axes.plot(shares, [load["p50_s"] for load in loads], "^:", color=SERIES[1], label="half within")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("load, % of what it scores when busy")
        axes.set_ylabel("seconds")
        axes.grid(visible=True, axis="y")
        axes.legend()

    return draw


def _client(found: Found) -> str:
    rows = [[escape(figure["name"]), f"{figure['measured']:g} {escape(figure['unit'])}"] for figure in found["figures"]]
    return (
        "<h2>The client</h2><p>What a recording costs before it goes on the wire: decoding, resampling, finding "
        "speech, cutting windows. 48 kHz mono, one process, one thread.</p>" + _table(["What", "Measured"], rows)
    )


def _peers(found: Found) -> str:
    rows = [
        [escape(p["name"]), escape(p["version"]), escape(p["best"]), f"{p['audio_s_per_s']:.1f}",
         *(f"<strong>{r['median']:.2f}</strong> <small>[{r['lowest']:.2f}, {r['highest']:.2f}]</small>"
           for r in (p["fp32_ratio"], p["int8_ratio"]))]
        for p in found["peers"]
    ]  # fmt: skip
    header = ["Server", "Version", "Its best setting", "Audio-s/s", "Ours over it, fp32", "Ours over it, int8"]
    tried = [
        [escape(p["name"]), "; ".join(f"{escape(setting)}: {rate:.1f}" for setting, rate in p["tried"].items())]
        for p in found["peers"]
    ]
    ours = ", ".join(f"{rate:.1f} in {name}" for name, rate in found["ours"].items())
    left_out = "".join(
        f"<p>{escape(name)} was not measured: {escape(why)}</p>" for name, why in found["not_measured"].items()
    )
    return (
        "<h2>What else one could serve it with</h2><p>The same checkpoint through Hugging Face eager on the same "
        "cores, asked over HTTP by 16 callers at once; each server at the best setting that was found for it, started "
        f"and measured in turns with this project's Triton, which scored {ours} audio-seconds a second.</p>"
        + _table(header, rows)
        + "<h3>Settings that were tried: worker processes x torch threads each</h3>"
        + _table(["Server", "Audio-seconds a second"], tried)
        + left_out
    )


def _neighbours(found: Found) -> str:
    rows = [[name, f"{n['logits']:.1e}", f"{n['level']:.2f}"] for name, n in found.items()]
    return (
        "<h2>Neighbours</h2><p>Each window alone, then in batches with others: how far its answer moves.</p>"
        + _table(["Precision", "Logits, at most", "Stress level, to two decimals, at most"], rows)
    )


def _demo_int8(found: Found) -> str:
    return (
        f"<h2>What int8 costs</h2><p>The demo model's level, on {found['windows']} windows it was not calibrated on, "
        f"changes by <strong>{found['mean']:.2f}</strong> points of 100 on average and by {found['largest']:.2f} at "
        f"most; {found['same_status']} of them keep their status.</p>"
    )


def _growth(found: Found) -> str:
    sizes = [int(size) for size in found["mixed"]]

    def draw(axes: Axes) -> None:
        axes.plot(sizes, list(found["mixed"].values()), "o-", color=SERIES[0], label="mixed lengths, 1 to 8 s")
        axes.plot(sizes, list(found["equal"].values()), "s--", color=MUTED, label="equal lengths, as much audio")
        axes.plot(sizes, list(found["padded"].values()), "^:", color=SERIES[1], label=f"mixed, {found['padded_with']}")
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("windows in a batch")
        axes.set_ylabel("audio-seconds a second")
        axes.grid(visible=True, axis="y")
        axes.legend()

    def draw_memory(axes: Axes) -> None:
        axes.plot(sizes, list(found["memory_mb"].values()), "o-", color=SERIES[0])
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.set_ylim(bottom=0)
        axes.set_xlabel("windows of 8 s in a batch")
        axes.set_ylabel("MB")
        axes.grid(visible=True, axis="y")

    rows = [
        [str(size), f"{found['mixed'][key]:.1f}", f"{found['equal'][key]:.1f}", f"{found['padded'][key]:.1f}",
         f"{found['mixed_over_equal'][key]:.2f}", f"{found['mixed_over_alone'][key]:.2f}",
         f"{found['memory_mb'][key]:.0f}"]
        for size, key in zip(sizes, found["mixed"], strict=True)
    ]  # fmt: skip
    header = [
        "Batch",
        "Mixed, audio-s/s",
        "Equal",
        "Mixed, padded",
        "Mixed over equal",
        "Over one by one",
        "Memory, MB",
    ]
    return (
        "<h2>How cost grows</h2><p>A batch costs what its audio costs, whatever the lengths in it. Memory is the peak "
        "of one engine's process, Python with it, for a batch of the longest windows the model takes; longer ones are "
        "not scored. A server has two such engines, of which one works at a time.</p>"
        + _picture(draw, "growth", "Throughput by batch size", 8, 3.4)
        + _table(header, rows)
        + _picture(draw_memory, "memory", "Memory by batch size", 8, 2.6)
    )


_OVERLOAD_WORDS = {
    "queue_windows": "windows that may wait, of each priority",
    "capacity_audio_s_per_s": "audio-seconds a second at capacity",
    "flood_audio_s_per_s": "audio-seconds a second while flooded",
    "asked": "requests in the flood",
    "scored": "of which scored",
    "rejected": "of which rejected",
    "neither": "of which neither",
    "rejection_p50_s": "half of the rejections within, s",
    "rejection_p95_s": "95 % of the rejections within, s",
    "scored_p95_s": "95 % of the scored within, s",
    "calm_p95_s": "95 % of the requests before it within, s",
    "recovery_s": "last request slower than all before the flood, s after its end",
    "memory_calm_mb": "the server's memory before, at most, MB",
    "memory_flood_mb": "the server's memory in all, at most, MB",
}


def _overload(found: Found) -> str:
    rows = [
        [escape(words), "none" if found[name] is None else f"{found[name]:.2f}"]
        for name, words in _OVERLOAD_WORDS.items()
        if name in found
    ]
    return (
        "<h2>Three times too much</h2><p>Requests come at three times what the server can do, whatever it answers, and "
        "then at a third of it again. The queue is short, as <code>voicestress tune</code> makes it: who would wait "
        "for more than two seconds is turned away at once.</p>" + _table(["What", "Measured"], rows)
    )


def _on_paper(found: Found) -> str:
    sizes = list(next(iter(found.values())))
    rows = [[escape(card), *(f"{rate:,.0f}" for rate in rates.values())] for card, rates in found.items()]
    return (
        "<h2>On paper: GPUs</h2><p><strong>Nothing in this section was run.</strong> Each product takes the longer of "
        "its operations at the card's dense fp16 peak and its bytes at the card's memory bandwidth. Real kernels reach "
        "perhaps half of that, and a server less.</p>"
        + _table(["Card", *(f"batch of {s}, audio-s/s" for s in sizes)], rows)
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in header)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _picture(draw: Callable[[Axes], None], name: str, description: str, width_in: float, height_in: float) -> str:
    figure = new_figure(width_in, height_in)
    draw(figure.add_subplot())
    return f'<figure class="wide">{to_svg(figure, name, description)}</figure>'


_SECTIONS: dict[str, Callable[[Found], str]] = {
    "engines": _engines,
    "served": _served,
    "client": _client,
    "peers": _peers,
    "neighbours": _neighbours,
    "demo_int8": _demo_int8,
    "growth": _growth,
    "overload": _overload,
    "on_paper": _on_paper,
}
