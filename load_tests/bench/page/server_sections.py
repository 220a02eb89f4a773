"""The sections about servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from matplotlib.axes import Axes
from voicestress.look.drawing import MUTED, SERIES
from voicestress.look.drawn_page import table

from load_tests.bench.page.parts import Found, picture


def served(found: Found) -> str:
    """What serving costs, and how long requests wait."""
    text = "<h2>Served</h2><p>The same graphs through Triton over gRPC, against the engine called directly.</p>"
    rows = [
        [name, f"{s['direct_audio_s_per_s']:.1f}", f"{s['served_audio_s_per_s']:.1f}", f"{s['served_over_direct']:.2f}",
         f"{1000 * s['idle_direct_s']:.0f}", f"{1000 * s['idle_served_s']:.0f}"]
        for name, s in found.items()
    ]  # fmt: skip
    header = ["Precision", "Engine, audio-s/s", "Served, busy", "Ratio", "Engine, idle, ms", "Served, idle, ms"]
    text += table(header, rows)
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
            + picture(_latency_by_load(served["loads"]), f"latency-{name}", f"{name}: latency by load", 8, 3)
            + table(["Load", "p50", "p95", "p99", "p99 of the queue", "ratio"], loads)
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


def peers(found: Found) -> str:
    """Other servers."""
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
        + table(header, rows)
        + "<h3>Settings that were tried: worker processes x torch threads each</h3>"
        + table(["Server", "Audio-seconds a second"], tried)
        + left_out
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


def overload(found: Found) -> str:
    """More requests than can be served."""
    rows = [
        [escape(words), "none" if found[name] is None else f"{found[name]:.2f}"]
        for name, words in _OVERLOAD_WORDS.items()
        if name in found
    ]
    return (
        "<h2>Three times too much</h2><p>Requests come at three times what the server can do, whatever it answers, and "
        "then at a third of it again. The queue is short, as <code>voicestress tune</code> makes it: who would wait "
        "for more than two seconds is turned away at once.</p>" + table(["What", "Measured"], rows)
    )


def memory(found: Found) -> str:
    """What a server takes."""
    rows = [[size, f"{idle:.0f}", f"{found['busy_mb'][size]:.0f}"] for size, idle in found["idle_mb"].items()]
    return (
        f"<h2>Memory</h2><p>Triton with all its processes, one instance, {found['queue_windows']} windows waiting. "
        "Busy is with windows of the longest kind only: what configuration allows, and requests can't add to. Longer "
        "windows get no score, but they are held until their turn, and Triton takes requests of any size: "
        f"with as many of {found['overlong_s']:g} s it was {found['overlong_mb']:.0f} MB. Where callers are not to be "
        "trusted, a proxy has to limit what they send.</p>"
        + table(["Largest batch", "After its start, MB", "Busy, at most, MB"], rows)
    )
