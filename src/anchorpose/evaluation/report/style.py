"""The page's look and its one script: light and dark, wide and narrow, lines that can be switched off.

Colours are those of Okabe and Ito, which the colour-blind tell apart; a few are lighter or darker so that they stand
out from either background.
"""

from __future__ import annotations

CSS = """
:root { color-scheme: light dark; --back: #fff; --card: #f6f7f9; --ink: #1b1f24; --soft: #59636e; --rule: #d5d9de;
  --k0: #0072b2; --k1: #c75000; --k2: #00805c; --k3: #b0568f; --k4: #a87400; --k5: #2a9ac9; --k6: #6b6b6b; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --card: #1d2126; --ink: #e6e9ec; --soft: #a3acb6;
  --rule: #3a4149; --k0: #4aa8e8; --k1: #f28544; --k2: #2fc296; --k3: #de8cbd; --k4: #e9b23c; --k5: #86d0f5;
  --k6: #a8a8a8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem clamp(.8rem, 3vw, 2rem) 4rem; max-width: 72rem; background: var(--back);
  color: var(--ink); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .2rem 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .4rem; padding-top: .8rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
p { margin: .3rem 0 .8rem; max-width: 65ch; } .soft { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .2rem 1rem; margin: .8rem 0; } a { color: var(--k0); }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1rem;
  align-items: start; } .row + .row { margin-top: 1rem; }
.card { background: var(--card); border-radius: 10px; padding: .8rem; min-width: 0; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .5rem .9rem; margin: .3rem 0; }
dt { color: var(--soft); font-size: .82rem; overflow-wrap: anywhere; }
dd { margin: 0; font-size: 1.1rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.card h3:first-child { margin-top: 0; }
.chart svg:not(.key) { display: block; width: 100%; max-width: 40rem; height: auto; }
.tick { font-size: 12px; fill: var(--soft); } .name { fill: var(--ink); }
.label { font-size: 12.5px; fill: var(--ink); }
.grid { stroke: var(--rule); stroke-width: 1; }
.line { fill: none; stroke: var(--c); stroke-width: 1.8; stroke-linejoin: round; }
.bold { stroke: var(--ink); stroke-width: 3; }
.dashed { stroke-dasharray: 6 4; } .dot { fill: var(--c); } .band { fill: var(--c); opacity: .18; }
.bar { fill: var(--c); opacity: .45; } .mark { stroke: var(--ink); stroke-width: 2.5; }
.limb { stroke: var(--c); stroke-width: 2.6; stroke-linecap: round; } .stage { fill: var(--back); }
.bodies { display: block; width: 100%; max-width: 24rem; height: auto; margin-top: .5rem; }
.plain { --c: var(--soft); } .plain .line, .plain.key .line { stroke-dasharray: 3 3; stroke-width: 1.4; }
.c0 { --c: var(--k0); } .c1 { --c: var(--k1); } .c2 { --c: var(--k2); } .c3 { --c: var(--k3); } .c4 { --c: var(--k4); }
.c5 { --c: var(--k5); } .c6 { --c: var(--k6); } .off { display: none; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem .9rem; font-size: .88rem; margin-top: .4rem; }
.legend label { display: inline-flex; align-items: center; gap: .35rem; min-height: 1.8rem; } .key { width: 24px; }
.legend input { margin: 0; width: 1.05rem; height: 1.05rem; accent-color: var(--k0); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .7rem .22rem 0; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
summary { cursor: pointer; color: var(--soft); font-size: .9rem; padding: .4rem 0; }
figure { margin: 0; } figcaption { font-size: .86rem; margin-top: .3rem; overflow-wrap: anywhere; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 9rem), 1fr)); gap: .4rem; }
.pair img { width: 100%; height: auto; display: block; border-radius: 6px; }
.pair span { font-size: .78rem; color: var(--soft); }
@media (max-width: 32rem) { .tick { font-size: 13.5px; } .label { font-size: 14px; }
  td:first-child { white-space: normal; }
  .systems td:first-child { min-width: 9.5rem; } }
@media print { .card { break-inside: avoid; } details > * { display: block; } }
"""

SCRIPT = """
for (const box of document.querySelectorAll('input[data-toggle]')) {
  box.addEventListener('change', () => {
    const line = box.closest('.chart').querySelector('g[data-series="' + box.dataset.toggle + '"]');
    line.classList.toggle('off', !box.checked);
  });
}
"""
