"""Reports in headless Chromium, without a network: figures are drawn, selectors and tables work, nothing complains."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from nnlang.reports import sweep, training
from tests import studies
from tests.test_reports import FIGURES
from tests.test_reports_training import metrics_file

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=8000",
)
# What the browser itself says where it draws WebGL without a graphics processor; no word of the page's.
ITS_OWN = ("software WebGL", "GPU stall due to ReadPixels")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")

# Appended to a copy of a page: does what a reader would do, and writes what came of it into the page.
READER = """
const wait = setInterval(async () => {
  if (!document.documentElement.dataset.drawn) return;
  clearInterval(wait);
  const told = {};
  const cloud = document.getElementById("cloud"), [colour, cost] = document.querySelectorAll("select[data-plot=cloud]");
  const choose = (select, at) => { select.selectedIndex = at; select.dispatchEvent(new Event("change")); };
  choose(colour, 1);
  choose(cost, 1);
  await new Promise(done => setTimeout(done, 500));
  told.bar = cloud.layout.coloraxis.colorbar.title.text;
  told.across = cloud.layout.xaxis.title.text;
  const table = document.getElementById("trials"), rows = () => [...table.tBodies[0].rows];
  const column = i => rows().map(row => row.cells[i].textContent);
  const buttons = table.tHead.querySelectorAll("button");
  buttons[2].click();
  told.rising = column(2);
  buttons[2].click();
  told.falling = column(2);
  told.sorted = table.tHead.rows[0].cells[2].getAttribute("aria-sort");
  choose(document.getElementById("trials-filter"), 1);
  told.filtered = [...new Set(column(1))];
  choose(document.getElementById("trials-filter"), 0);
  const pager = document.getElementById("trials-pager");
  told.first = pager.children[1].textContent;
  pager.children[2].click();
  told.second = pager.children[1].textContent;
  dispatchEvent(new Event("beforeprint"));
  told.paper = cloud.layout.width;
  dispatchEvent(new Event("afterprint"));
  try { await fetch("https://example.org/"); told.network = "open"; } catch { told.network = "closed"; }
  document.documentElement.dataset.told = JSON.stringify(told);
}, 50);
"""


def opened(page: Path, folder: Path, *more: str) -> tuple[str, list[str]]:
    """The page's elements after its scripts have run, and what the console said."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *more, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    said = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode("utf-8", "replace"), [line for line in said if not any(word in line for word in ITS_OWN)]


def drawn(elements: str) -> dict[str, int]:
    """How many drawings stand in each figure."""
    parts = re.split(r'<figure id="([a-z0-9-]+)-figure"', elements)
    return {
        name: part.partition("</figure>")[0].count('class="main-svg"')
        for name, part in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_figure_of_a_sweep_is_drawn_and_answers(tmp_path: Path) -> None:
    study = studies.study(tmp_path, 105)
    studies.furnish(study)
    target = tmp_path / "report.html"
    sweep.write(study, target)
    text = target.read_text(encoding="utf-8").replace("</body>", f"<script>{READER}</script></body>")
    digest = b64encode(hashlib.sha256(READER.encode()).digest()).decode()
    target.write_text(text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1), encoding="utf-8")
    elements, said = opened(target, tmp_path)
    found = drawn(elements)
    assert set(found) >= FIGURES and all(found.values()), found
    assert f'data-drawn="{len(found)}"' in elements
    told = answers(elements)
    assert told["bar"] == "Layers.Hidden.Activation" and told["across"] == "epochs trained"
    rising, falling = ([float(value) for value in told[way] if value] for way in ("rising", "falling"))
    assert rising == sorted(rising) and told["sorted"] == "descending"
    assert falling[0] == pytest.approx(max(t.value for t in study.trials if t.value is not None), abs=1e-5)
    assert told["filtered"] == ["diverged"] and told["paper"] == 680
    assert (told["first"], told["second"]) == ("1 to 100 of 106", "101 to 106 of 106")
    assert told["network"] == "closed" and all("example.org" in line for line in said), said  # the reader's own try


def answers(elements: str) -> dict[str, Any]:
    """What the reader wrote into the page."""
    match = re.search(r'data-told="([^"]*)"', elements)
    assert match is not None
    found = json.loads(html.unescape(match[1]))
    assert isinstance(found, dict)
    return found


@pytest.mark.full
def test_many_trials_are_drawn(tmp_path: Path) -> None:
    study = studies.study(tmp_path, 2_500)
    sweep.write(study, tmp_path / "report.html")
    elements, said = opened(tmp_path / "report.html", tmp_path, "--enable-unsafe-swiftshader")
    found = drawn(elements)
    assert found.pop("test", 1) and all(found[name] for name in FIGURES - {"test"}), found
    assert said == [] and "could not be drawn" not in elements.partition("<script")[0]


def test_a_training_is_drawn_without_complaint(tmp_path: Path) -> None:
    metrics_file(tmp_path / "gl.nc")
    training.write([tmp_path / "gl.nc"], tmp_path / "report.html")
    elements, said = opened(tmp_path / "report.html", tmp_path)
    found = drawn(elements)
    assert len(found) == 5 and all(found.values()) and said == [], (found, said)
