// Charts: what people would rather look at than read. Drawn by uPlot on a canvas, in the tokens' colours of both themes.
//
// Handed: a figure, in a page or in a fragment that htmx brings later. Hands on: a picture, a reading under the
// pointer, a brush. The numbers stay in the page as a table, for screen readers and for whoever runs no scripts.
//
//   {% block head %}{% include "_chart_head.html" %}{% endblock %}
//   {% include "_chart.html" with chart=chart %}
//
// ``chart`` is an ``alerts.selectors.charts.Chart``; the include writes exactly this, which can also be written by hand:
//
//   <figure class="chart [small|tall]" data-chart="line" data-spec="{{ chart.json }}" [data-sync="key"]
//           [data-brush="/events/?from={from}&to={to}"]>
//     <figcaption>Events a minute</figcaption>
//     <div class="chart-plot"></div>
//     <details class="chart-table"><summary>Table</summary><table>...</table></details>
//   </figure>
//
// data-chart    line or bars: how a series is drawn that does not say so itself.
// data-spec     the JSON itself. Right for fragments, because htmx drops every script out of them. Or else
// data-source   #id of a JSON script in the page, or an address that answers with the same JSON.
// data-sync     charts with the same key share their cursor.
// data-brush    where a dragged span leads. {from} and {to} become UTC times (2026-11-23T13:45:00Z) or numbers, in
//               whole steps, and ``to`` is exclusive. Dragging first fires a cancelable, bubbling "chart:brush" with
//               detail {from, to, address}: preventDefault() and load a fragment instead of the page. A click is a
//               span of one step. The same links belong into the table's rows: they are the way for the keyboard.
//
// The JSON (only x and series are needed):
//   {"x": [..], "time": true, "step": 900,            x in Unix seconds or plain numbers; each one begins a step
//    "series": [{"label": "stored", "values": [1, null, ...], "draw": "line|area|bars", "tone": "accent",
//                "unit": "a minute", "low": [..], "high": [..]}],   null = not measured: a gap, never a zero
//    "marks": [{"x": 1790000000, "label": "v3 serves"}], "levels": [{"y": 100, "label": "alarm"}],
//    "percent": false, "y_max": null, "x_label": "threshold"}
// Tones are token names: accent, bar, muted, faint, critical, high, medium, low, info. Every y axis holds zero.
import { palette } from "./chart_colours.js";
import { isLocal, percentText, short, span, timeTick } from "./chart_words.js";
import { $, $$, make } from "./dom.js";

const drawn = new Map();
const NARROW = 460;
const LABEL_GAP = 14;
const GAP_WORDS = 100;
const SHARED_LABEL = 56;
const SHARED_AXIS = 44;

// From the JSON to uPlot's columns: x, then each series with its interval's two edges.
function columns(spec) {
  const half = spec.step ? spec.step / 2 : 0;
  const data = [spec.x.map((value) => value + half)];
  const places = [];
  for (const series of spec.series) {
    const place = { series, value: data.length, low: 0, high: 0 };
    data.push(series.values);
    if (series.low && series.high) {
      place.low = data.push(series.low) - 1;
      place.high = data.push(series.high) - 1;
    }
    places.push(place);
  }
  return { data, places };
}

const drawsBars = (place, figure) => (place.series.draw ?? figure.dataset.chart) === "bars";

function uplotSeries(places, colours, figure) {
  const list = [{}];
  for (const place of places) {
    const tone = colours[place.series.tone] ?? colours.accent;
    const soft = colours[`${place.series.tone}-soft`] ?? colours["accent-soft"];
    const bars = drawsBars(place, figure);
    list[place.value] = {
      label: place.series.label,
      stroke: tone,
      width: bars ? 0 : 1.5,
      fill: bars ? tone : place.series.draw === "area" ? soft : undefined,
      paths: bars ? window.uPlot.paths.bars({ size: [0.84, 72], align: 0, radius: 0.08 }) : undefined,
      points: { show: bars ? false : (plot, index) => isAlone(plot.data[index]), size: 5, fill: tone },
    };
    if (place.high) {
      const edge = { stroke: "transparent", width: 0, points: { show: false } };
      list[place.low] = { ...edge };
      list[place.high] = { ...edge };
    }
  }
  return list;
}
// A line of one point is no line: its points are drawn.
function isAlone(values) {
  return values.some((value, index) => value !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null);
}

const bandsOf = (places, colours) => places.filter((place) => place.high).map((place) => ({
  series: [place.high, place.low], fill: colours[`${place.series.tone}-soft`] ?? colours["accent-soft"],
}));

function yRange(spec) {
  return (_plot, least, most) => {
    const levels = (spec.levels ?? []).map((level) => level.y);
    const top = Math.max(most ?? 0, ...levels, 0);
    const bottom = Math.min(least ?? 0, 0);
    const upper = spec.y_max ?? (top > 0 ? top * 1.08 : bottom < 0 ? 0 : 1);
    return [bottom < 0 ? bottom * 1.08 : 0, upper];
  };
}

function xRange(spec) {
  const first = spec.x[0] ?? 0;
  const last = (spec.x.at(-1) ?? 1) + (spec.step ?? 0);
  return last > first ? [first, last] : [first - 1, first + 1];
}

function axes(figure, spec, colours) {
  const least = figure.dataset.sync ? SHARED_AXIS : 0;
  const font = `11px ${colours.sans}`;
  const shared = { stroke: colours.faint, font, ticks: { show: false } };
  const yText = spec.percent ? percentText : short;
  return [
    {
      ...shared,
      grid: { show: false },
      ticks: { show: true, stroke: colours["line-strong"], width: 1, size: 4 },
      size: 26,
      gap: 2,
      space: spec.time ? 64 : 56,
      values: (_plot, ticks, _axis, _space, step) => ticks.map((tick) => (spec.time ? timeTick(tick, step) : short(tick))),
    },
    {
      ...shared,
      grid: { stroke: colours.line, width: 1 },
      gap: 6,
      space: 30,
      size: (_plot, texts) => Math.max(least, 12 + 6.5 * Math.max(2, ...(texts ?? []).map((text) => text.length))),
      values: (_plot, ticks) => ticks.map(yText),
    },
  ];
}

// Labels stand beside the lines they name, pushed apart where two would touch.
function labelPlaces(plot, places) {
  const height = plot.bbox.height / devicePixelRatio;
  const found = [];
  for (const place of places) {
    const values = plot.data[place.value];
    let index = values.length - 1;
    while (index >= 0 && values[index] === null) index -= 1;
    if (index < 0) continue;
    const x = plot.valToPos(plot.data[0][index], "x");
    found.push({ text: place.series.label, tone: place.series.tone, x, y: plot.valToPos(values[index], "y") });
  }
  found.sort((one, other) => one.y - other.y);
  for (let turn = 0; turn < 4; turn += 1) {
    found.forEach((label, index) => {
      const above = found[index - 1];
      if (above && label.y - above.y < LABEL_GAP) {
        const push = (LABEL_GAP - (label.y - above.y)) / 2;
        above.y -= push;
        label.y += push;
      }
    });
    for (const label of found) label.y = Math.min(Math.max(label.y, 7), height - 7);
  }
  return found;
}

function write(plot, colours, text, x, y, { tone = "muted", align = "left" } = {}) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * scale}px ${colours.sans}`;
  ctx.textAlign = align;
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 4 * scale;
  ctx.strokeStyle = colours.surface;
  ctx.strokeText(text, bbox.left + x * scale, bbox.top + y * scale);
  ctx.fillStyle = colours[tone] ?? colours.muted;
  ctx.fillText(text, bbox.left + x * scale, bbox.top + y * scale);
  ctx.restore();
}

function rule(plot, colours, from, to) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.setLineDash([4 * scale, 3 * scale]);
  ctx.lineWidth = scale;
  ctx.strokeStyle = colours.faint;
  ctx.moveTo(bbox.left + from[0] * scale, bbox.top + from[1] * scale);
  ctx.lineTo(bbox.left + to[0] * scale, bbox.top + to[1] * scale);
  ctx.stroke();
  ctx.restore();
}

// Stretches in which nothing was measured say so, where there is room for the words.
function writeGaps(spec, plot, colours, height) {
  const isGap = spec.x.map((_, index) => spec.series.every((series) => (series.values[index] ?? null) === null));
  let start = -1;
  for (let index = 0; index <= isGap.length; index += 1) {
    if (isGap[index] && start < 0) start = index;
    if (isGap[index] || start < 0) continue;
    const from = plot.valToPos(spec.x[start], "x");
    const to = plot.valToPos(spec.x[index - 1] + (spec.step ?? 0), "x");
    if (to - from > GAP_WORDS) write(plot, colours, "not measured", (from + to) / 2, height / 2, { tone: "faint", align: "center" });
    start = -1;
  }
}

function annotate(spec, places, colours, gutter) {
  return (plot) => {
    const width = plot.bbox.width / devicePixelRatio;
    const height = plot.bbox.height / devicePixelRatio;
    writeGaps(spec, plot, colours, height);
    for (const level of spec.levels ?? []) {
      const y = plot.valToPos(level.y, "y");
      rule(plot, colours, [0, y], [width, y]);
      write(plot, colours, level.label, 4, Math.max(y - 8, 7));
    }
    for (const mark of spec.marks ?? []) {
      const x = plot.valToPos(mark.x, "x");
      if (x < 0 || x > width) continue;
      rule(plot, colours, [x, 0], [x, height]);
      write(plot, colours, mark.label, x > width / 2 ? x - 5 : x + 5, 7, { align: x > width / 2 ? "right" : "left" });
    }
    if (places.length < 2) return;
    for (const label of labelPlaces(plot, places)) {
      const beside = gutter > 0;
      write(plot, colours, label.text, beside ? width + 6 : width - 4, beside ? label.y : Math.max(label.y - 9, 7),
        { tone: label.tone, align: beside ? "left" : "right" });
    }
  };
}

// Charts that share a cursor share their margins too, so that one moment stands at one place in all of them.
function gutterOf(figure, spec, width, colours) {
  const shared = Boolean(figure.dataset.sync);
  if (width < NARROW || (spec.series.length < 2 && !shared)) return 0;
  const ctx = make("canvas").getContext("2d");
  ctx.font = `11px ${colours.sans}`;
  const widest = Math.ceil(Math.max(...spec.series.map((series) => ctx.measureText(series.label).width)));
  return 12 + (shared ? Math.max(widest, SHARED_LABEL) : widest);
}

// The reading: what is under the pointer, in words.
function readingOf(spec, places, plot) {
  const index = plot.cursor.idx;
  if (index === null || index === undefined) return "";
  const text = spec.percent ? percentText : short;
  const said = places.map((place) => {
    const value = plot.data[place.value][index];
    if (value === null || value === undefined) return `${place.series.label} not measured`;
    const interval = place.high && plot.data[place.low][index] !== null
      ? ` (${text(plot.data[place.low][index])} – ${text(plot.data[place.high][index])})` : "";
    return `${place.series.label} ${text(value)}${place.series.unit ? ` ${place.series.unit}` : ""}${interval}`;
  });
  return [span(spec, index), ...said].join("  ·  ");
}

// The brush: a dragged span, in whole steps, leads where the figure says.
function brushed(figure, spec, plot) {
  const template = figure.dataset.brush;
  const { left, width } = plot.select;
  if (!template || width < 2) return;
  let from = plot.posToVal(left, "x");
  let to = plot.posToVal(left + width, "x");
  if (spec.step) {
    const first = spec.x[0];
    from = first + spec.step * Math.floor((from - first) / spec.step);
    to = first + spec.step * Math.ceil((to - first) / spec.step);
  }
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  follow(figure, spec, from, to);
}
function follow(figure, spec, from, to) {
  const text = (value) => (spec.time ? new Date(1000 * Math.round(value)).toISOString().replace(".000Z", "Z") : String(value));
  const address = figure.dataset.brush.replace("{from}", encodeURIComponent(text(from))).replace("{to}", encodeURIComponent(text(to)));
  const event = new CustomEvent("chart:brush", { bubbles: true, cancelable: true, detail: { from, to, address } });
  if (figure.dispatchEvent(event)) location.assign(address);
}
// A press and a release at one place is no drag: it means the step under the pointer.
function listenForClicks(figure, spec, plot) {
  if (!figure.dataset.brush || !spec.step) return;
  let pressed = null;
  plot.over.addEventListener("pointerdown", (event) => { pressed = event.button === 0 ? event.clientX : null; });
  plot.over.addEventListener("click", (event) => {
    const index = plot.cursor.idx;
    if (pressed === null || Math.abs(event.clientX - pressed) > 3 || index === null || index === undefined) return;
    follow(figure, spec, spec.x[index], spec.x[index] + spec.step);
  });
}

// Charts share where the pointer is; only the one that was dragged over is brushed.
const isMove = (type) => type === "mousemove" || type === "mouseleave";

function options(figure, spec, places, size, reading) {
  const colours = palette(figure);
  const gutter = gutterOf(figure, spec, size.width, colours);
  const brush = Boolean(figure.dataset.brush);
  return {
    ...size,
    padding: [10, gutter || 12, 0, 0],
    legend: { show: false },
    series: uplotSeries(places, colours, figure),
    bands: bandsOf(places, colours),
    scales: { x: { time: Boolean(spec.time), range: () => xRange(spec) }, y: { range: yRange(spec) } },
    axes: axes(figure, spec, colours),
    tzDate: (seconds) => (isLocal() ? new Date(1000 * seconds) : window.uPlot.tzDate(new Date(1000 * seconds), "Etc/UTC")),
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: brush, y: false, setScale: false },
      sync: figure.dataset.sync ? { key: figure.dataset.sync, setSeries: false, filters: { pub: isMove } } : undefined,
    },
    hooks: {
      draw: [annotate(spec, places, colours, gutter)],
      setCursor: [(plot) => { reading.textContent = readingOf(spec, places, plot); }],
      setSelect: [(plot) => brushed(figure, spec, plot)],
    },
  };
}

function paint(figure) {
  const chart = drawn.get(figure);
  const box = $(".chart-plot", figure);
  const size = { width: box.clientWidth, height: box.clientHeight };
  if (!size.width || !size.height) return;
  chart.plot?.destroy();
  const { data, places } = columns(chart.spec);
  chart.size = size;
  chart.plot = new window.uPlot(options(figure, chart.spec, places, size, chart.reading), data, box);
  $("canvas", box).setAttribute("aria-hidden", "true");
  listenForClicks(figure, chart.spec, chart.plot);
  figure.dataset.drawn = "true";
}

function refit(figure) {
  const chart = drawn.get(figure);
  const box = $(".chart-plot", figure);
  if (chart && (box.clientWidth !== chart.size?.width || box.clientHeight !== chart.size?.height)) paint(figure);
}

async function specOf(figure) {
  if (figure.dataset.spec) return JSON.parse(figure.dataset.spec);
  const source = figure.dataset.source ?? "";
  if (source.startsWith("#")) return JSON.parse(document.getElementById(source.slice(1)).textContent);
  const response = await fetch(source, { headers: { Accept: "application/json" }, credentials: "same-origin" });
  if (!response.ok) throw new Error(`${source} answered ${response.status}`);
  return response.json();
}

async function start(figure) {
  if (drawn.has(figure) || $(".chart-none", figure)) return; // where nothing was measured the page says so itself
  const chart = { spec: null, plot: null, size: null, reading: make("p", { className: "chart-reading" }) };
  chart.reading.setAttribute("aria-hidden", "true");
  drawn.set(figure, chart);
  try {
    chart.spec = await specOf(figure);
  } catch (error) {
    $(".chart-plot", figure)?.replaceChildren(make("p", { className: "muted", textContent: `No chart: ${error.message}. Reload the page to try again.` }));
    return;
  }
  if (!figure.isConnected || !chart.spec.x.length) return;
  $(".chart-plot", figure).before(chart.reading);
  if (!window.uPlot) { $(".chart-table", figure)?.setAttribute("open", ""); return; }
  paint(figure);
  sizes.observe($(".chart-plot", figure));
}

const sizes = new ResizeObserver((entries) => {
  for (const entry of entries) {
    const figure = entry.target.closest("figure.chart");
    if (figure) requestAnimationFrame(() => refit(figure));
  }
});

// Draw what came, forget what a swap took away.
export function refreshCharts() {
  for (const [figure, chart] of drawn) {
    if (figure.isConnected) continue;
    chart.plot?.destroy();
    drawn.delete(figure);
  }
  for (const figure of $$("figure.chart[data-spec], figure.chart[data-source]")) start(figure);
}
function repaint() {
  for (const [figure, chart] of drawn) if (chart.plot && figure.isConnected) paint(figure);
}

new MutationObserver(repaint).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
document.addEventListener("winnow:zone", repaint);
document.addEventListener("htmx:afterSettle", refreshCharts);
refreshCharts();
