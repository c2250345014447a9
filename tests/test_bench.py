# SPDX-License-Identifier: Apache-2.0
"""The benchmarks run through and say what they measured. No time is compared with anything here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import corpora, report, rounds, scale, searching, single
from bench.measure import Failed, run

ROOT = Path(__file__).resolve().parent.parent


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_quick_benchmark_runs_through_and_writes_its_page(tmp_path: Path) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "kept.json"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    done = bench("--quick", "--scale", "0.0005", "--only", "documents", "--peer", "tar + age",
                 "--work", str(tmp_path), "--json", str(kept), "--write", str(page))  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| documents |" in text
    (played,) = json.loads(kept.read_text())["corpora"]["documents"]["rounds"]
    assert set(played["sandyk"]) == set(rounds.PHASES)
    assert all(phase["wall"] > 0 for phase in played["sandyk"].values())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("sandyk-bench-")]


def test_panic_is_timed_from_its_start_to_its_first_line(tmp_path: Path) -> None:
    rows = single.panics(tmp_path, (3,), 10**9, 1)
    assert [row["vault"] for row in rows] == ["3 packs", "one sparse pack of 1 GB"]
    assert all(0 < float(row["gone"]) <= float(row["whole"]) for row in rows)
    assert not (tmp_path / "vault").exists()


@pytest.mark.parametrize("kind", corpora.KINDS)
def test_a_corpus_has_the_same_names_and_bytes_each_time(kind: str, tmp_path: Path) -> None:
    scale = 1 / 4000 if kind in ("documents", "leak") else 1 / 100_000
    for name in ("one", "two"):
        corpora.KINDS[kind](corpora.Folder(tmp_path / name), scale)
    names = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*")}
    assert names == {path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*")}
    rounds.expect_same(tmp_path / "one", tmp_path / "two", kind, bundle=False)


def test_a_store_that_gives_back_one_other_byte_fails_the_benchmark(tmp_path: Path) -> None:
    for name, content in (("one", b"true"), ("two", b"trve")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "document").write_bytes(content)
    with pytest.raises(Failed):
        rounds.expect_same(tmp_path / "one", tmp_path / "two", "get", bundle=False)


def test_a_command_that_fails_is_no_measurement() -> None:
    with pytest.raises(Failed, match="exit code 3"):
        run("exit 3")
    with pytest.raises(Failed):
        run("false | cat")


def test_ratios_are_taken_round_by_round(tmp_path: Path) -> None:
    def turn(seconds: float) -> dict[str, dict[str, float]]:
        return {p: {"wall": seconds, "cpu": seconds, "other": 0.0, "rss": 1.0, "stored": 1e6} for p in rounds.PHASES}

    played = [{"sandyk": turn(ours), "restic": turn(theirs)} for ours, theirs in ((1, 2), (8, 20), (30, 10))]
    text = report.render({"corpora": {"documents": {"files": 1, "bytes": 10, "rounds": played}}})
    assert "| **sandyk** | 0.50 (0.40–3.00) |" in text  # the ratio of the medians would be 8 / 10
    assert "| time to goal | 1.1 × |" in text


def test_export_and_open_are_set_beside_every_program_that_seals_an_archive() -> None:
    def turn(seconds: float) -> dict[str, dict[str, float]]:
        return {p: {"wall": seconds, "cpu": seconds, "other": 0.0, "rss": 1.0, "stored": 1e6} for p in rounds.PHASES}

    played = [{"sandyk": turn(3), "restic": turn(1), "tar + age": turn(2), "7zz": turn(4)}]
    text = report.render({"corpora": {"media": {"files": 1, "bytes": 10, "rounds": played}}})
    for keys in ("through the agent", "with a passphrase"):
        assert f"| **sandyk**, {keys} | 1.50 | 1.50 |" in text
        assert f"| **sandyk**, {keys}, beside 7zz with AES | 0.75 | 0.75 |" in text


def test_a_page_without_a_place_for_the_figures_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("nothing to see\n")
    with pytest.raises(report.NoMarkers):
        report.write_into(page, "figures")
    assert page.read_text() == "nothing to see\n"


# --- searching ------------------------------------------------------------------------------------------------------


def test_the_benchmark_of_searching_runs_through_and_its_answers_agree(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{searching.BEGIN}\nold\n{searching.END}\nafter\n")
    words = ["--documents", "40", "--words", "30", "--read", "5", "--times", "1", "--work", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.searching", *words, "--write", str(page)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| a rare word | 1 |" in text and "40 documents" in text


# --- how cost grows ------------------------------------------------------------------------------------------------


def test_the_benchmark_of_scale_runs_through_and_writes_its_table_and_its_plot(tmp_path: Path) -> None:
    page, curves = tmp_path / "page.md", tmp_path / "curves.svg"
    page.write_text(f"before\n{scale.BEGIN}\nold\n{scale.END}\nafter\n")
    words = ["--steps", "5,20", "--document-bytes", "100", "--times", "1", "--work", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "bench.scale", *words, "--write", str(page), "--plot", str(curves)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "| search |" in text and "| seconds | 5 | 20 |" in text
    assert {element.tag.rpartition("}")[2] for element in ElementTree.parse(curves).iter()} >= {"svg", "polyline"}


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_found(power: float) -> None:
    found = scale.exponent([(x, 3 * x**power) for x in (10.0, 100.0, 1000.0)])
    assert found == pytest.approx(power)


def test_of_one_point_no_exponent_is_told() -> None:
    assert scale.exponent([(10.0, 1.0)]) is None
