#include "train/report/style.h"

namespace trireme::train {

std::string_view report_style() {
  return R"(
:root { color-scheme: light dark; --paper: #fbfaf7; --card: #ffffff; --ink: #1c2330; --faint: #6b7280; --line: #e4e2dc;
  --c0: #1f6feb; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5; --c4: #b08900; --c5: #0b7285; --bad: #c92a2a; --good: #2b8a3e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #12151b; --card: #1a1f28; --ink: #e6e9ef; --faint: #939cab; --line: #2c333f;
    --c0: #6ea8fe; --c1: #ff9466; --c2: #69d084; --c3: #d58cf0; --c4: #e5c24a; --c5: #4fc6d8; --bad: #ff8787; --good: #69d084; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1360px; padding: 28px 24px 60px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 16px; margin: 34px 0 10px; }
.faint, .unit, .tick { color: var(--faint); } .unit { font-weight: 400; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 14px; margin: 18px 0; }
.card, figure { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; margin: 0; }
.card b { font-size: 18px; font-variant-numeric: tabular-nums; } .card .name { display: flex; gap: 8px; align-items: center; overflow-wrap: anywhere; }
.dot { width: 11px; height: 11px; border-radius: 50%; flex: none; }
.state { margin-left: auto; font-size: 13px; padding: 1px 9px; border-radius: 9px; border: 1px solid var(--line); color: var(--faint); }
.state.done { color: var(--good); border-color: var(--good); } .state.failed { color: var(--bad); border-color: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; margin-top: 10px; } .figures span { display: block; font-size: 12.5px; color: var(--faint); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 14px; }
figcaption { font-weight: 600; margin-bottom: 4px; } svg { width: 100%; height: auto; display: block; overflow: visible; }
.grid { stroke: var(--line); } .tick { fill: var(--faint); font-size: 11px; }
.curve { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
.b0 { background: var(--c0); } .b1 { background: var(--c1); } .b2 { background: var(--c2); } .b3 { background: var(--c3); } .b4 { background: var(--c4); } .b5 { background: var(--c5); }
.mark { stroke: var(--faint); stroke-dasharray: 3 4; stroke-width: 1.2; } .mark.failed, .mark.lost { stroke: var(--bad); }
.pointer { stroke: var(--ink); opacity: 0; } .readout { min-height: 22px; font-size: 13px; color: var(--faint); font-variant-numeric: tabular-nums; }
.memory, .gantt { margin-bottom: 14px; overflow-x: auto; } .gantt svg { min-width: 900px; } .gantt text { fill: var(--ink); }
.tier { display: flex; gap: 14px; margin: 8px 0 14px; } .tiername { width: 60px; flex: none; font-weight: 600; } .bars { flex: 1; min-width: 0; }
.bar { display: flex; height: 18px; margin-bottom: 3px; background: var(--line); border-radius: 4px; overflow: hidden; } .bar span { display: block; height: 100%; }
.measured { background: var(--faint); } .legend { font-size: 12.5px; color: var(--faint); } .legend span { margin-right: 10px; white-space: nowrap; }
.legend .dot { display: inline-block; margin-right: 4px; width: 9px; height: 9px; }
table { border-collapse: collapse; width: 100%; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
td, th { text-align: left; padding: 6px 12px; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; } th { font-weight: 600; border-top: 0; }
tr.differs td { background: color-mix(in srgb, var(--c4) 12%, transparent); }
td.failed, td.lost { color: var(--bad); } td.done { color: var(--good); }
details { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 16px; margin-bottom: 10px; } summary { cursor: pointer; font-weight: 600; }
pre { overflow-x: auto; font: 13px/1.45 ui-monospace, monospace; margin: 10px 0 0; }
@media (max-width: 560px) { .charts { grid-template-columns: 1fr; } body { padding: 16px 12px; } }
@media print { body { background: none; } .readout { display: none; } }
)";
}

std::string_view report_script() {
  return R"(
document.querySelectorAll('svg[data-least]').forEach(function (picture) {
  var number = function (name) { return Number(picture.getAttribute('data-' + name)); };
  var left = number('left'), right = number('right'), least = number('least'), most = number('most');
  var curves = Array.from(picture.querySelectorAll('polyline')).map(function (line) {
    return { name: line.getAttribute('data-name'), points: line.getAttribute('data-values').trim().split(' ').map(function (pair) {
      return pair.split(',').map(Number); }) };
  });
  var pointer = picture.querySelector('.pointer'), readout = picture.parentNode.querySelector('.readout');
  picture.addEventListener('pointermove', function (event) {
    var box = picture.getBoundingClientRect(), across = (event.clientX - box.left) / box.width * 640;
    var x = least + Math.min(1, Math.max(0, (across - left) / (right - left))) * (most - least), words = [], at = x;
    curves.forEach(function (curve) {
      var best = curve.points.reduce(function (one, other) { return Math.abs(other[0] - x) >= Math.abs(one[0] - x) ? one : other; });
      at = best[0];
      words.push((curves.length === 1 ? '' : curve.name + ' ') + best[1]);
    });
    var place = left + (at - least) / (most - least || 1) * (right - left);
    pointer.setAttribute('x1', place); pointer.setAttribute('x2', place); pointer.style.opacity = 0.35;
    readout.textContent = 'step ' + at + ': ' + words.join(', ');
  });
  picture.addEventListener('pointerleave', function () { pointer.style.opacity = 0; readout.textContent = ''; });
});
)";
}

}  // namespace trireme::train
