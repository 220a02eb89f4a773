"""The sections about engines, one process each."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from matplotlib.axes import Axes
from voicestress.look.drawing import INK, MUTED, SERIES
from voicestress.look.drawn_page import table

from load_tests.bench.page.parts import Found, picture


def engines(found: Found) -> str:
    """The engines beside each other."""
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
        axes.legend(loc="upper right")

    return (
        "<h2>Engines</h2><p>Windows of 1 to 8 s in the order they arrive, each engine at its best batch size, all in "
        "turns. Engines that need equal lengths pad a batch to its longest window.</p>"
        + table(header, rows)
        + picture(draw, "engines", "Throughput of the engines", 9, 3)
        + "<p>One window of 5 s alone, in audio-seconds a second: "
        + ", ".join(f"{escape(e['name'])} {e['audio_s_per_s']:.1f} ({e['ratio']:.2f} times)" for e in found["alone"])
        + ".</p>"
        + f"<p>A second of audio takes {found['gflop_per_audio_s']:.1f} GFLOP. This machine multiplies matrices at "
        f"{found['peak_gflops']:.0f} GFLOP/s at best, which would be {ceiling:.1f} audio-seconds a second if nothing "
        f"but products took time. Padding-free fp32 reaches {found['fp32_share_of_ceiling']:.0%} of that.</p>"
    )


def where(found: Found) -> str:
    """What operators an engine spends its time on."""
    kinds = list(dict.fromkeys(kind for times in found.values() for kind in times))
    totals = [sum(times.values()) for times in found.values()]
    spent = [[times.get(kind, 0.0) for times in found.values()] for kind in kinds]
    rows = [
        [escape(kind), *(f"{ms:.1f} ({ms / total:.0%})" for ms, total in zip(of_kind, totals, strict=True))]
        for kind, of_kind in zip(kinds, spent, strict=True)
    ]
    return (
        "<h2>Where the time goes</h2><p>Milliseconds a second of audio by ONNX Runtime's own clock, in batches as "
        "served. What is no product is what keeps the engine from the machine's matrix products alone.</p>"
        + table(["Operators", *found], rows)
    )


def neighbours(found: Found) -> str:
    """How far neighbours move an answer."""
    rows = [[name, f"{n['logits']:.1e}", f"{n['level']:.2f}"] for name, n in found.items()]
    return (
        "<h2>Neighbours</h2><p>Each window alone, then in batches with others: how far its answer moves.</p>"
        + table(["Precision", "Logits, at most", "Stress level, to two decimals, at most"], rows)
    )


def demo_int8(found: Found) -> str:
    """What int8 does to the demo model's level."""
    return (
        f"<h2>What int8 costs</h2><p>The demo model's level, on {found['windows']} windows it was not calibrated on, "
        f"changes by <strong>{found['mean']:.2f}</strong> points of 100 on average and by {found['largest']:.2f} at "
        f"most; {found['same_status']} of them keep their status.</p>"
    )


def growth(found: Found) -> str:
    """Throughput and memory by batch size."""
    fp32, int8 = found["fp32"], found["int8"]
    sizes = [int(size) for size in fp32["mixed"]]

    def draw(axes: Axes) -> None:
        axes.plot(sizes, list(int8["mixed"].values()), "D-", color=SERIES[2], label="int8, mixed lengths")
        axes.plot(sizes, list(fp32["mixed"].values()), "o-", color=SERIES[0], label="fp32, mixed lengths, 1 to 8 s")
        axes.plot(sizes, list(fp32["equal"].values()), "s--", color=MUTED, label="fp32, equal lengths, as much audio")
        axes.plot(sizes, list(found["padded"].values()), "^:", color=SERIES[1], label=f"mixed, {found['padded_with']}")
        _name_axes(axes, sizes, "windows in a batch", "audio-seconds a second")
        axes.legend()

    def draw_memory(axes: Axes) -> None:
        axes.plot(sizes, list(found["memory_mb"].values()), "o-", color=SERIES[0])
        _name_axes(axes, sizes, "windows of 8 s in a batch", "MB")

    rows = [
        [str(size), *_by_batch(fp32, key), *_by_batch(int8, key),
         f"{found['padded'][key]:.1f}", f"{found['memory_mb'][key]:.0f}"]
        for size, key in zip(sizes, fp32["mixed"], strict=True)
    ]  # fmt: skip
    columns = ("mixed, audio-s/s", "mixed over equal", "over one by one")
    header = ["Batch", *(f"{precision} {column}" for precision in ("fp32", "int8") for column in columns)]
    return (
        "<h2>How cost grows</h2><p>A batch costs what its audio costs, whatever the lengths in it. Memory is the peak "
        "of one fp32 engine's process, Python with it, for a batch of the longest windows the model takes; longer ones "
        "are not scored. A server has two such engines, of which one works at a time.</p>"
        + picture(draw, "growth", "Throughput by batch size", 8, 3.4)
        + table([*header, "Padded, audio-s/s", "Memory, MB"], rows)
        + picture(draw_memory, "memory", "Memory by batch size", 8, 2.6)
    )


def _by_batch(measured: Found, size: str) -> list[str]:
    ratios = (f"{measured[name][size]:.2f}" for name in ("mixed_over_equal", "mixed_over_alone"))
    return [f"{measured['mixed'][size]:.1f}", *ratios]


def _name_axes(axes: Axes, sizes: Sequence[int], along: str, up: str) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_ylim(bottom=0)
    axes.set_xlabel(along)
    axes.set_ylabel(up)
    axes.grid(visible=True, axis="y")


def client(found: Found) -> str:
    """What a recording costs the client."""
    rows = [[escape(figure["name"]), f"{figure['measured']:g} {escape(figure['unit'])}"] for figure in found["figures"]]
    return (
        "<h2>The client</h2><p>What a recording costs before it goes on the wire: decoding, resampling, finding "
        "speech, cutting windows. 48 kHz mono, one process, one thread.</p>" + table(["What", "Measured"], rows)
    )


def on_paper(found: Found) -> str:
    """GPUs by their data sheets."""
    sizes = list(next(iter(found.values())))
    rows = [[escape(card), *(f"{rate:,.0f}" for rate in rates.values())] for card, rates in found.items()]
    return (
        "<h2>On paper: GPUs</h2><p><strong>Nothing in this section was run.</strong> Each product takes the longer of "
        "its operations at the card's dense fp16 peak and its bytes at the card's memory bandwidth. Real kernels reach "
        "perhaps half of that, and a server less.</p>"
        + table(["Card", *(f"batch of {s}, audio-s/s" for s in sizes)], rows)
    )
