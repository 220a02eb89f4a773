"""What ``analyze --html`` and ``--plot`` leave on disk, and what they refuse before anything is scored."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image
from voicestress.cli import main
from voicestress.look import LookError, Unscored, write_page, write_plot
from voicestress.look.plot import DOTS_PER_INCH, WIDTH_IN, height_in, render_plot

from tests.client.test_client import closed_port
from tests.paths import JFK_WAV


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes.wav"
    path.write_text("dear diary")
    return path


def command(server, *arguments):
    return [
        sys.executable,
        "-m",
        "voicestress",
        "analyze",
        *map(str, arguments),
        "--url",
        server.url,
        "--model",
        "group_norm",
    ]


def test_both_are_written_and_nothing_else(server, tmp_path):
    page, plot = tmp_path / "report.html", tmp_path / "out.png"
    done = subprocess.run(
        command(server, JFK_WAV, "--html", page, "--plot", plot), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(tmp_path.iterdir()) == [plot, page]
    assert page.read_text().endswith("</html>\n")
    assert "jfk.wav" in page.read_text()
    with Image.open(plot) as image:
        assert image.format == "PNG"


def test_failures_are_in_the_page_and_the_exit_code(server, tmp_path, notes, capsys):
    page = tmp_path / "report.html"
    arguments = ["analyze", str(notes), str(JFK_WAV), "--html", str(page), "--url", server.url, "--model", "group_norm"]
    assert main(arguments) == 2
    capsys.readouterr()
    assert "<b>" + str(notes) + "</b>: is not audio" in page.read_text()
    assert "1 Normal, 1 not scored" in page.read_text()


def test_standard_input_is_drawn_too(server, tmp_path):
    page = tmp_path / "report.html"
    pipe = f"cat {JFK_WAV} | {' '.join(command(server, '-', '--html', page))}"
    subprocess.run(["bash", "-c", pipe], check=True, capture_output=True, timeout=60)
    assert "standard input" in page.read_text()


@pytest.mark.parametrize("option", ["--html", "--plot"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/report{}", "there is no folder"),
        ("report.doc", "its name must end in"),
        ("notes.wav", "its name must end in"),
        ("folder{}", "is a folder"),
        ("notes.wav/report{}", "is not a folder"),
    ],
)
def test_what_can_not_be_written_is_refused_before_anything_is_asked_of_a_server(
    option, name, message, tmp_path, notes, capsys
):
    suffix = ".html" if option == "--html" else ".png"
    (tmp_path / f"folder{suffix}").mkdir()
    target = str(tmp_path / name.format(suffix))
    assert main(["analyze", str(JFK_WAV), option, target, "--url", f"127.0.0.1:{closed_port()}"]) == 1
    assert message in capsys.readouterr().err


def test_a_picture_without_matplotlib_names_the_extra(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    arguments = ["analyze", str(JFK_WAV), "--plot", str(tmp_path / "out.png"), "--url", f"127.0.0.1:{closed_port()}"]
    assert main(arguments) == 1
    assert "a picture needs matplotlib: pip install 'voicestress[plot]'" in capsys.readouterr().err


def test_a_picture_of_too_many_recordings_is_refused(tmp_path, capsys):
    arguments = ["analyze", *[str(JFK_WAV)] * 21, "--plot", str(tmp_path / "out.png")]
    assert main(arguments) == 1
    assert "at most 20 recordings" in capsys.readouterr().err


def test_a_page_that_can_not_be_finished_leaves_the_old_one(server, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("the old one")
    limited = f"ulimit -f 1; {' '.join(command(server, JFK_WAV, '--html', page))}"  # no file over a KiB
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith(f"voicestress: {page}: can't be written (")
    assert list(tmp_path.iterdir()) == [page]
    assert page.read_text() == "the old one"


def test_a_service_that_fails_leaves_no_page(tmp_path, capsys):
    arguments = ["analyze", str(JFK_WAV), "--html", str(tmp_path / "a.html"), "--url", f"127.0.0.1:{closed_port()}"]
    assert main(arguments) == 3
    assert list(tmp_path.iterdir()) == []


def test_from_python(look, tmp_path):
    write_page([look], tmp_path / "report.html")
    write_plot([look], tmp_path / "out.svg")
    assert "<svg" in (tmp_path / "out.svg").read_text()
    with pytest.raises(LookError, match="there is no folder"):
        write_page([look], tmp_path / "missing" / "report.html")


def test_a_picture_has_the_size_it_says(look):
    entries = [look, Unscored("notes.wav", "is not audio, " * 20), look]
    with Image.open(io.BytesIO(render_plot(entries, "png"))) as image:
        assert image.width == WIDTH_IN * DOTS_PER_INCH
        assert abs(image.height - height_in(entries) * DOTS_PER_INCH) <= 1
        assert len(image.convert("RGB").getcolors(1 << 24)) > 20


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_picture_is_of_the_kind_its_name_says(look, suffix, start):
    assert render_plot([look], suffix).startswith(start)


def test_strange_names_are_drawn_as_they_are(changed):
    strange = changed(name="$x^2$ \x1b[2J 会議 \udce9" + "long" * 50 + ".wav", labels=["$a$", "b" * 40, "c"])
    assert render_plot([strange, Unscored("$x_", "$y_")], "png").startswith(b"\x89PNG")
