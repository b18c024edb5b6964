"""The looks of a report's page by day, by night and on paper, and its scripts; none of it is fetched."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1c2127;--soft:#59636e;--paper:#fff;--line:#d9dde3;--band:#f5f6f8;
--link:#1f6bb0;--plus:#e3f4e8;--minus:#fbe7e3;--key:#1f5f9e;--text:#8a4b08;--number:#0b6b50}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0 auto;padding:0 1.25rem 3rem;max-width:74rem;background:var(--paper);color:var(--ink);
font:15px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,'DejaVu Sans',sans-serif}
h1{font-size:1.6rem;margin:1.6rem 0 .3rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.6rem 0 .4rem;overflow-wrap:anywhere}
h3{font-size:1rem;margin:1.2rem 0 .2rem;overflow-wrap:anywhere}
p,figcaption{max-width:56rem}
a{color:var(--link)}
nav{margin:.8rem 0;color:var(--soft)}
nav a{margin-right:1rem;white-space:nowrap}
figure{margin:0}
figcaption,.note{color:var(--soft);font-size:.92rem;margin:.2rem 0 .5rem}
.scroll{overflow-x:auto}
.plot{width:100%}
.slices{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr));gap:1rem 2rem}
.controls{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;margin:.5rem 0;align-items:center}
select,.pager button{font:inherit;color:inherit;background:var(--band);border:1px solid var(--line);
border-radius:4px;padding:.15rem .5rem;max-width:20rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:.92rem;padding:.2rem 0 .4rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .9rem .25rem 0;border-bottom:1px solid var(--line);
unicode-bidi:isolate}
td{overflow-wrap:break-word;max-width:24rem}
.number{text-align:right;white-space:nowrap}
.sorted th,.sorted td{white-space:nowrap;max-width:none}
th button{all:unset;cursor:pointer;font-weight:600}
th button:focus-visible{outline:2px solid var(--link)}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
tr.best td,tr.winner td{font-weight:650}
tr.base td{font-style:italic}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:.8rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
pre{background:var(--band);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow-x:auto;
font:13px/1.45 ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;tab-size:4}
pre .key{color:var(--key)}pre .text{color:var(--text)}pre .numeral{color:var(--number)}
pre .plus{background:var(--plus);display:block}pre .minus{background:var(--minus);display:block}
pre .place{color:var(--soft);display:block}pre .same{display:block}
footer{margin-top:3rem;color:var(--soft);font-size:.88rem}
.failure{color:#b3261e}
.plot .annotation .bg{fill:var(--paper)!important;fill-opacity:.75!important}
@media screen and (prefers-color-scheme:dark){
:root{--ink:#e6e9ee;--soft:#a2abb6;--paper:#14171c;--line:#333a44;--band:#1c2128;--link:#7ab7f0;
--plus:#17382a;--minus:#45211d;--key:#8dc0f2;--text:#e5b374;--number:#7fd1b3}
.plot .infolayer text,.plot .cartesianlayer text,.plot .annotation text{fill:#e6e9ee!important}
.plot .bars text{fill:#fff!important}
.failure{color:#ff8a80}}
@media print{html{font-size:12px}body{max-width:none;padding:0;font-size:11px}h2{break-after:avoid}
figure,tr{break-inside:avoid}nav,.controls,.pager,.modebar{display:none}pre{white-space:pre-wrap}
.scroll{overflow:visible}.slices{grid-template-columns:1fr 1fr}}
"""

# Draws the figures one after the other, so that the page answers meanwhile; then minds their selectors and the paper.
DRAW = """
"use strict";
const config = {displayModeBar: false, responsive: true};
const content = plot => JSON.parse(document.getElementById(plot.id + "-data").textContent);
const plots = [...document.querySelectorAll(".plot")];
(async () => {
  let drawn = 0;
  for (const plot of plots) {
    const {data, layout} = content(plot);
    try {
      await Plotly.newPlot(plot, data, layout, config);
      drawn += 1;
    } catch (error) {
      plot.textContent = "This figure could not be drawn: " + error.message;
      plot.className = "failure";
    }
    await new Promise(done => setTimeout(done));
  }
  document.documentElement.dataset.drawn = drawn;
})();
for (const select of document.querySelectorAll("select[data-plot]")) {
  select.addEventListener("change", () => {
    const plot = document.getElementById(select.dataset.plot);
    const {traces, frame} = content(plot).selectors[select.dataset.selector][select.selectedIndex];
    const changed = plot.data.flatMap((trace, i) => trace.meta === "chosen" ? [i] : []);
    Plotly.update(plot, traces, frame, changed);
  });
}
const fit = widths => plots.filter(plot => plot.layout).forEach(plot => {
  const width = widths && widths[plot.closest(".slices") ? 1 : 0];
  Plotly.relayout(plot, {width, autosize: !width});
});
addEventListener("beforeprint", () => fit([680, 330]));
addEventListener("afterprint", () => fit(null));
"""

# Sorts, filters and pages tables; a number sorts as one, what is empty comes last.
TABLES = """
"use strict";
for (const table of document.querySelectorAll("table.sorted")) {
  const body = table.tBodies[0], all = [...body.rows], size = 100;
  const heads = [...table.tHead.rows[0].cells];
  const filter = document.getElementById(table.id + "-filter"), pager = document.getElementById(table.id + "-pager");
  const order = new Intl.Collator(undefined, {numeric: true}).compare;
  let rows = all, shown = all, page = 0;
  const show = () => {
    const from = page * size, pages = Math.ceil(shown.length / size) || 1;
    const now = shown.slice(from, from + size);
    body.replaceChildren(...now);
    pager.hidden = pages < 2;
    pager.children[0].disabled = page === 0;
    pager.children[1].textContent = `${from + 1} to ${from + now.length} of ${shown.length}`;
    pager.children[2].disabled = page === pages - 1;
  };
  const choose = () => {
    shown = filter && filter.value ? rows.filter(row => row.dataset.state === filter.value) : rows;
    page = 0;
    show();
  };
  const key = (row, i) => {
    const text = row.cells[i].textContent, value = Number(text.replace(/,/g, ""));
    return text === "" ? null : Number.isNaN(value) ? text : value;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : order(String(a), String(b));
  heads.forEach((head, i) => head.firstElementChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keyed = all.map(row => [key(row, i), row]);
    const full = keyed.filter(([k]) => k !== null).sort(([a], [b]) => up ? compare(a, b) : compare(b, a));
    rows = [...full, ...keyed.filter(([k]) => k === null)].map(([, row]) => row);
    choose();
  }));
  if (filter) filter.addEventListener("change", choose);
  pager.children[0].addEventListener("click", () => { page -= 1; show(); });
  pager.children[2].addEventListener("click", () => { page += 1; show(); });
  show();
}
"""
