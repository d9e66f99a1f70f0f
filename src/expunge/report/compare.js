// The comparison: choose scenario, methods, measures and sparsity; see them as a table or drawn.
// All numbers are those of the page's JSON; nothing is computed here but places.
const comparison = document.getElementById("comparison");
if (comparison) startComparison(comparison);

function startComparison(root) {
  const data = JSON.parse(document.getElementById("comparison-data").textContent);
  const form = root.querySelector("form");
  const place = root.querySelector(".view");
  const views = { table: tableView, time: timeView, radar: radarView, sparsity: sparsityView };
  let width = 0;

  function scenario() {
    return data.scenarios[Number(form.elements.scenario.value)];
  }

  function choices() {
    const all = scenario();
    fillChoices(form, "methods", all.methods, (each) => each.label, () => true);
    fillChoices(form, "measures", all.measures, (each) => each.short, (each) => each.main);
    fillChoices(form, "levels", all.levels, (each) => each.label, () => true);
  }

  function draw() {
    const all = scenario();
    const chosen = {
      methods: picked(form, "methods", all.methods),
      measures: picked(form, "measures", all.measures),
      levels: picked(form, "levels", all.levels),
      width: place.clientWidth,
    };
    const lacking = ["methods", "measures", "levels"].filter((name) => !chosen[name].length);
    const view = form.elements.view.value;
    const shown = lacking.length
      ? { nodes: [], notes: [`Nothing to show: choose ${lacking.join(" and ")}.`] }
      : views[view](all, chosen, data);
    place.replaceChildren(...shown.nodes);
    const words = form.querySelector(`[name=view][value=${view}]`).parentElement.textContent.trim();
    root.querySelector("[role=status]").textContent =
      `${words}. ${all.label}: ${count(chosen.methods, "method")}, ` +
      `${count(chosen.measures, "measure")}, ${count(chosen.levels, "level")} of sparsity.`;
    const notes = [...shown.notes, seedsNote(all)].filter(Boolean);
    root.querySelector(".notes-of-view").replaceChildren(...notes.map((note) => html("p", {}, note)));
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", (event) => {
    if (event.target.name === "scenario") choices();
    draw();
  });
  form.addEventListener("click", (event) => {
    const { all } = event.target.dataset;
    if (all === undefined) return;
    const boxes = [...event.target.closest("fieldset").querySelectorAll("input")];
    const on = boxes.some((box) => !box.checked);
    for (const box of boxes) box.checked = on;
    draw();
  });
  root.hidden = false;
  choices();
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    draw();
  }).observe(place);
  width = place.clientWidth;
  draw();
}

function fillChoices(form, name, items, label, on) {
  const boxes = items.map((item, index) => {
    const box = html("input", { type: "checkbox", name, value: index });
    box.checked = on(item);
    return html("label", {}, box, ` ${label(item)}`);
  });
  form.querySelector(`[data-choice=${name}]`).replaceChildren(...boxes);
}

function picked(form, name, items) {
  const boxes = [...form.querySelectorAll(`[name=${name}]`)];
  return boxes.filter((box) => box.checked).map((box) => ({ ...items[box.value], at: Number(box.value) }));
}

function count(items, word) {
  return `${items.length} ${word}${items.length === 1 ? "" : "s"}`;
}

function seedsNote(all) {
  return all.seeds === 1
    ? "One seed: no spread can be shown, and no difference can be told from chance."
    : "";
}

// Table: what the static tables hold, of the chosen rows and columns.

function tableView(all, { methods, measures, levels }) {
  const many = levels.length > 1;
  const table = html("table", { class: "sortable" });
  const sorter = (text, label) =>
    html("button", { type: "button", "aria-label": label }, text);
  const name = html("th", { scope: "col", class: "name", "aria-sort": "none" }, sorter("Method", "Method"));
  if (many) name.rowSpan = 2;
  const top = html("tr", {}, name);
  const below = html("tr", {});
  for (const measure of measures) {
    if (many) top.append(html("th", { scope: "colgroup", class: "group", colspan: levels.length }, measure.short));
    for (const level of levels) {
      const button = sorter(many ? level.label : measure.short, `${measure.short}, ${level.label}: sort`);
      (many ? below : top).append(html("th", { scope: "col", "aria-sort": "none" }, button));
    }
  }
  table.append(
    html("caption", {}, `${all.label}: comparison`),
    html("thead", {}, top, ...(many ? [below] : [])),
  );
  const reasons = [];
  for (const references of [true, false]) {
    const body = html("tbody", { class: references ? "references" : "methods" });
    for (const method of methods.filter((each) => each.reference === references)) {
      const row = html("tr", {}, html("th", { scope: "row", class: "name" }, method.label));
      for (const measure of measures) {
        for (const level of levels) row.append(tableCell(method.cells[measure.at][level.at], reasons));
      }
      body.append(row);
    }
    table.append(body);
  }
  sortable(table);
  const numbered = reasons.map((reason, index) => `(${index + 1}) ${reason}`);
  const beside = "Under a value: its gap to Retrain at the same sparsity, in points; under a time, its share of Retrain’s.";
  return { nodes: [table], notes: [beside, ...numbered, ...all.notes] };
}

function tableCell(cell, reasons) {
  const [value, spread] = cell.text.split("±");
  const td = html("td", cell.low ? { class: "low" } : {}, value);
  if (spread !== undefined) td.append(html("small", {}, `±${spread}`));
  if (cell.mark) td.append(html("sup", { class: "mark" }, cell.mark));
  if (cell.why) {
    if (!reasons.includes(cell.why)) reasons.push(cell.why);
    td.append(html("sup", {}, `(${reasons.indexOf(cell.why) + 1})`));
  }
  if (cell.beside) td.append(html("span", { class: "beside" }, `(${cell.beside})`));
  if (cell.sort !== undefined) td.dataset.sort = cell.sort;
  return td;
}

// The mean of the chosen gaps against run time.

function timeView(all, { methods, measures, levels, width }) {
  const time = all.measures.findIndex((measure) => measure.kind === "time");
  const meanGap = all.measures.findIndex((measure) => measure.kind === "gap");
  const metrics = all.measures.map((_, at) => at).filter((at) => all.measures[at].kind === "metric");
  const gapped = metrics.filter((at) => all.methods.some((method) => method.cells[at].some((cell) => cell.gap !== undefined)));
  const used = gapped.filter((at) => measures.some((measure) => measure.at === at));
  if (!gapped.length) return { nodes: [], notes: ["No gap against time: no method has a gap to Retrain."] };
  if (!used.length) return { nodes: [], notes: ["No gap against time: choose a measure that has a gap to Retrain."] };
  const whole = used.length === gapped.length;
  const gap = (method, level) => {
    if (method.retrain) return 0;
    if (whole && meanGap >= 0) return method.cells[meanGap][level.at].mean;
    const gaps = used.map((at) => method.cells[at][level.at].gap);
    return gaps.some((each) => each === undefined) ? undefined : gaps.reduce((sum, each) => sum + each, 0) / gaps.length;
  };
  const places = [];
  const missing = [];
  for (const method of methods) {
    for (const level of levels) {
      const seconds = method.cells[time][level.at].mean;
      const points = gap(method, level);
      if (seconds > 0 && points !== undefined) places.push({ method, level, seconds, points });
      else missing.push(`${method.label} (${level.label})`);
    }
  }
  const notes = missing.length ? [`Without a time or a gap, and not drawn: ${missing.join(", ")}.`] : [];
  if (!places.length) return { nodes: [], notes: ["No gap against time: nothing chosen has both.", ...notes] };
  const what = whole ? "mean gap" : `gap of ${used.map((at) => all.measures[at].short).join(", ")}`;
  const box = { left: 46, right: 14, top: 14, bottom: 44, width, height: Math.min(440, Math.max(300, width * 0.55)) };
  const seconds = places.map((each) => each.seconds);
  const top = 1.1 * Math.max(...places.map((each) => each.points)) || 1;
  const across = scale(Math.min(...seconds) / 1.5, Math.max(...seconds) * 1.5, box.left, box.width - box.right, Math.log);
  const up = scale(0, top, box.height - box.bottom, box.top, Math.sqrt);
  const frame = plot(box, `${all.label}: ${what} against run time`);
  axisAcross(frame, box, timeTicks(across.from, across.to, width), across, "run time (log scale)");
  axisUp(frame, box, rootTicks(top), up, `${what}, points`);
  for (const method of methods) {
    const path = places.filter((each) => each.method === method);
    frame.append(svg("polyline", {
      points: path.map((each) => `${across(each.seconds)},${up(each.points)}`).join(" "),
      fill: "none", stroke: method.color, "stroke-opacity": 0.5,
    }));
    for (const { level, seconds: s, points } of path) {
      frame.append(mark({ ...method, hollow: level.percent > 0 }, across(s), up(points), {
        method: method.label, level: level.label, seconds: s, gap: points,
      }, `${method.label}, ${level.label}: ${method.cells[time][level.at].text}, ${round(points)} points`));
    }
  }
  notes.unshift(`Better is lower and farther left. Filled: dense; hollow: sparse; a line joins one method’s levels. Up: ${what} to Retrain, on a square-root scale.`);
  // Here hollow marks are sparse models.
  const looks = methods.map((method) => ({ ...method, hollow: false, dashes: [] }));
  return { nodes: [legend(looks), frame], notes };
}

// The radar: a panel a level, a corner a measure; radii are those of the JSON.

function radarView(all, { methods, measures, levels, width }, data) {
  if (all.radar.why_not) return { nodes: [], notes: [all.radar.why_not] };
  const corners = measures.filter((measure) => measure.corner !== null).sort((one, other) => one.corner - other.corner);
  if (corners.length < data.fewest) {
    return { nodes: [], notes: [`No radar: it needs ${data.fewest} or more measures with a gap to Retrain or a time.`] };
  }
  const columns = Math.max(1, Math.min(levels.length, Math.floor(width / 300)));
  const size = Math.min(420, Math.floor(width / columns) - 8);
  const notes = [all.radar.note];
  const panels = [];
  const bare = [];
  const open = [];
  const drawn = methods.filter((method) => !method.retrain);
  for (const level of levels) {
    const rim = all.methods.find((method) => method.retrain);
    if (!rim || !corners.some((corner) => rim.cells[corner.at][level.at].radius !== undefined)) {
      bare.push(level.label);
      continue;
    }
    const frame = radarFrame(all, corners, level, size);
    const centre = size / 2;
    const reach = size / 2 - 46;
    const at = (index, radius) => {
      const angle = (2 * Math.PI * index) / corners.length;
      const length = reach * Math.min(radius, data.beyond);
      return [centre + length * Math.sin(angle), centre - length * Math.cos(angle)];
    };
    for (const method of drawn) {
      const radii = corners.map((corner) => method.cells[corner.at][level.at].radius);
      const some = radii.some((radius) => radius !== undefined);
      if (radii.includes(undefined)) open.push(`${method.label} (${level.label})${some ? "" : ", not at all"}`);
      radii.forEach((radius, index) => {
        const next = (index + 1) % corners.length;
        if (radius === undefined || radii[next] === undefined) return;
        const [x1, y1] = at(index, radius);
        const [x2, y2] = at(next, radii[next]);
        frame.append(svg("line", { x1, y1, x2, y2, stroke: method.color, "stroke-width": 1.6, "stroke-dasharray": method.dashes.join(" ") }));
      });
      radii.forEach((radius, index) => {
        if (radius === undefined) return;
        const cell = method.cells[corners[index].at][level.at];
        frame.append(mark(method, ...at(index, radius), {
          method: method.label, level: level.label, measure: corners[index].short, radius,
        }, `${method.label}, ${corners[index].short}: ${cell.text}${cell.beside ? ` (${cell.beside})` : ""}`));
      });
    }
    panels.push(html("div", { class: "panel" }, html("h4", {}, level.label), frame));
  }
  if (bare.length) notes.push(`No radar at ${bare.join(", ")}: Retrain, its rim, was not measured there.`);
  if (open.length) notes.push(`Open, because a measure is missing: ${open.join(", ")}.`);
  return { nodes: [legend(drawn), html("div", { class: "panels" }, ...panels)], notes };
}

function radarFrame(all, corners, level, size) {
  const frame = plot({ width: size, height: size }, `${all.label}, ${level.label}: radar`);
  const centre = size / 2;
  const reach = size / 2 - 46;
  const at = (index, length) => {
    const angle = (2 * Math.PI * index) / corners.length;
    return [centre + length * Math.sin(angle), centre - length * Math.cos(angle)];
  };
  for (const ring of [0.25, 0.5, 0.75, 1]) {
    frame.append(svg("polygon", {
      points: corners.map((_, index) => at(index, ring * reach).join(",")).join(" "),
      fill: "none", stroke: "currentColor", "stroke-opacity": ring === 1 ? 1 : 0.25, "stroke-width": ring === 1 ? 1.4 : 0.6,
      ...(ring === 1 ? { "data-rim": reach } : {}),
    }));
    frame.append(text(centre + 3, centre - ring * reach + 10, round(all.radar.scale * (1 - ring)), { "font-size": 9 }));
  }
  corners.forEach((corner, index) => {
    const [x, y] = at(index, reach);
    frame.append(svg("line", { x1: centre, y1: centre, x2: x, y2: y, stroke: "currentColor", "stroke-opacity": 0.25, "stroke-width": 0.6 }));
    const [labelX, labelY] = at(index, reach + 12);
    const side = Math.abs(labelX - centre) < 4 ? "middle" : labelX > centre ? "start" : "end";
    // Beside the figure there is no room for a long name: it goes above or below its corner.
    const long = side !== "middle" && corner.short.length > 5;
    const x0 = long ? Math.max(4, Math.min(size - 4, labelX + (side === "start" ? 34 : -34))) : labelX;
    frame.append(text(x0, labelY + (long ? (y < centre ? -8 : 14) : 4), corner.short, { "text-anchor": long ? (side === "start" ? "end" : "start") : side }));
  });
  return frame;
}

// Curves over sparsity: a panel a measure, a curve a method and pruner.

function sparsityView(all, { methods, measures, levels, width }, data) {
  if (all.curves.why_not) return { nodes: [], notes: [all.curves.why_not] };
  if (new Set(levels.map((level) => level.percent)).size < 2) {
    return { nodes: [], notes: ["No curves over sparsity: choose two levels of it or more."] };
  }
  const columns = Math.max(1, Math.min(measures.length, Math.floor(width / 300)));
  const size = Math.floor(width / columns) - (columns > 1 ? 16 : 0);
  const panels = [];
  const bare = [];
  for (const measure of measures) {
    const panel = curvePanel(all, measure, methods, levels, size);
    if (panel) panels.push(html("div", { class: "panel" }, html("h4", {}, measure.axis), panel));
    else bare.push(measure.short);
  }
  const notes = ["Across: sparsity before unlearning in per cent, on a log scale of the weights that are left."];
  if (all.seeds > 1) notes.push(data.band_note, "Axes of percentages end at 0 and 100.");
  if (all.pruners.length > 1) notes.push(`Dashes: ${all.pruners.map((pruner, index) => `${pruner.label} ${PRUNER_WORDS[index % 3]}`).join(", ")}.`);
  const flat = measures.filter((measure) => all.methods.some((method) => method.cells[measure.at].some((cell) => cell.n > 1 && !cell.band)));
  if (flat.length) notes.push(`Without bands: ${flat.map((measure) => measure.short).join(", ")}.`);
  if (bare.length) notes.push(`Without a value, and not drawn: ${bare.join(", ")}.`);
  return { nodes: [legend(methods), html("div", { class: "panels" }, ...panels)], notes };
}

const PRUNER_DASHES = ["", "7 4", "2 3"];
const PRUNER_WORDS = ["whole", "long", "dotted"];

function curvePanel(all, measure, methods, levels, width) {
  const box = { left: 46, right: 14, top: 10, bottom: 40, width, height: 220 };
  const curves = [];
  for (const method of methods) {
    if (measure.kind === "gap" && method.retrain) continue;
    all.pruners.forEach((pruner, number) => {
      const there = levels.filter((level) => pruner.levels.includes(level.at));
      const points = there
        .map((level) => ({ level, cell: method.cells[measure.at][level.at] }))
        .filter(({ cell }) => cell.mean !== undefined);
      if (points.length) curves.push({ method, number, points });
    });
  }
  if (!curves.length) return null;
  const values = curves.flatMap(({ points }) => points.flatMap(({ cell }) => [cell.mean, ...(cell.band ?? []).slice(0, 2)]));
  const [low, high] = ends(values, measure.ends);
  const steps = levels.map((level) => level.across);
  const across = scale(Math.min(...steps), Math.max(...steps), box.left + 8, box.width - box.right, (x) => x);
  const up = scale(low, high, box.height - box.bottom, box.top, (x) => x);
  const frame = plot(box, `${all.label}: ${measure.axis} against sparsity`);
  const ticks = new Map(levels.map((level) => [level.across, round(level.percent)]));
  axisAcross(frame, box, apart([...ticks], across), across, "sparsity, %");
  axisUp(frame, box, niceTicks(low, high), up, "");
  for (const { method, number, points } of curves) {
    const spread = points.filter(({ cell }) => cell.band);
    const cut = (value) => Math.min(high, Math.max(low, value));
    const around = [
      ...spread.map(({ level, cell }) => [across(level.across), up(cut(cell.band[1]))]),
      ...spread.map(({ level, cell }) => [across(level.across), up(cut(cell.band[0]))]).reverse(),
    ];
    frame.append(svg("polygon", { class: "band", points: around.map((each) => each.join(",")).join(" "), fill: method.color, "fill-opacity": 0.15 }));
    frame.append(svg("polyline", {
      points: points.map(({ level, cell }) => `${across(level.across)},${up(cell.mean)}`).join(" "),
      fill: "none", stroke: method.color, "stroke-width": 1.6,
      "stroke-dasharray": all.pruners.length > 1 ? PRUNER_DASHES[number % 3] : method.dashes.join(" "),
    }));
    for (const { level, cell } of points) {
      const [from, to, kind] = cell.band ?? [];
      const range = kind ? `, ${kind === "interval" ? "95 %" : "± deviation"} ${round(from)} to ${round(to)}` : "";
      frame.append(mark(method, across(level.across), up(cell.mean), {
        method: method.label, level: level.label, measure: measure.short, mean: cell.mean,
        ...(kind ? { low: from, high: to, kind } : {}),
      }, `${method.label}, ${level.label}: ${cell.text}${range}`));
    }
  }
  return frame;
}

// Parts of pictures.

function html(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function plot({ width, height }, label) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label, fill: "currentColor" });
}

function text(x, y, words, attributes = {}) {
  return svg("text", { x, y, "font-size": 12, ...attributes }, String(words));
}

const MARKS = {
  o: "M0-4a4 4 0 1 0 .01 0z",
  D: "M0-5 5 0 0 5-5 0z",
  s: "M-4-4H4V4H-4z",
  "^": "M0-5 5 4H-5z",
  v: "M0 5 5-4H-5z",
  P: "M-2-5H2V-2H5V2H2V5H-2V2H-5V-2H-2z",
};

function mark(method, x, y, values, title) {
  const path = svg("path", {
    class: "mark", d: MARKS[method.marker], transform: `translate(${x} ${y})`,
    fill: method.hollow ? "var(--paper)" : method.color, stroke: method.color, "stroke-width": 1.6,
  }, svg("title", {}, title));
  Object.assign(path.dataset, values);
  return path;
}

// The names of methods, with their marks.
function legend(methods) {
  const items = methods.map((method) => {
    const line = svg("line", { x1: 1, y1: 8, x2: 27, y2: 8, stroke: method.color, "stroke-width": 1.6, "stroke-dasharray": method.dashes.join(" ") });
    const picture = svg("svg", { width: 28, height: 16, "aria-hidden": "true" }, line, mark(method, 14, 8, {}, method.label));
    return html("li", {}, picture, ` ${method.label}`);
  });
  return html("ul", { class: "key", "aria-label": "Methods drawn" }, ...items);
}

// A function from values to places; its ends can be read from it.
function scale(from, to, start, end, shape) {
  const [low, high] = [shape(from), shape(to)];
  const at = (value) => start + ((shape(value) - low) / (high - low || 1)) * (end - start);
  return Object.assign(at, { from, to });
}

function axisAcross(frame, box, ticks, across, words) {
  const y = box.height - box.bottom;
  frame.append(svg("line", { x1: box.left, x2: box.width - box.right, y1: y, y2: y, stroke: "currentColor" }));
  for (const [value, label] of ticks) {
    const x = across(value);
    frame.append(svg("line", { class: "tick", "data-across": value, x1: x, x2: x, y1: y, y2: y + 4, stroke: "currentColor" }));
    frame.append(text(x, y + 17, label, { "text-anchor": "middle" }));
  }
  frame.append(text((box.left + box.width - box.right) / 2, box.height - 6, words, { "text-anchor": "middle" }));
}

function axisUp(frame, box, ticks, up, words) {
  frame.append(svg("line", { x1: box.left, x2: box.left, y1: box.top, y2: box.height - box.bottom, stroke: "currentColor" }));
  for (const value of ticks) {
    const y = up(value);
    frame.append(svg("line", { class: "tick", "data-up": value, x1: box.left - 4, x2: box.left, y1: y, y2: y, stroke: "currentColor" }));
    frame.append(text(box.left - 7, y + 4, round(value), { "text-anchor": "end" }));
  }
  if (words) frame.append(text(box.left + 6, box.top + 2, words));
}

function ends(values, limits) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const spare = limits ? Math.max(0, (limits[1] === 1 ? 0.02 : 2) - (high - low)) / 2 : (high - low || 1) * 0.05;
  [low, high] = [low - spare, high + spare];
  if (limits) low = Math.max(limits[0], low);
  if (limits && limits[1] !== null) high = Math.min(limits[1], high);
  return [low, high > low ? high : low + 1];
}

function niceTicks(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((base) => base * power).find((each) => each >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

function rootTicks(high) {
  const all = [-3, -2, -1, 0, 1, 2].flatMap((power) => [1, 2, 5].map((base) => Number((base * 10 ** power).toPrecision(3))));
  return [0, ...all.filter((tick) => tick >= high / 60 && tick <= high)];
}

const TIMES = [0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36000, 360000];
const FINE_TIMES = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 72000, 180000, 360000];

function timeTicks(low, high) {
  const within = (ticks) => ticks.filter((tick) => tick >= low && tick <= high).map((tick) => [tick, duration(tick)]);
  const coarse = within(TIMES);
  return coarse.length > 2 ? coarse : within(FINE_TIMES);
}

function duration(seconds) {
  if (seconds >= 3600) return `${seconds / 3600} h`;
  if (seconds >= 60) return `${seconds / 60} min`;
  return seconds >= 1 ? `${seconds} s` : `${Math.round(seconds * 1000)} ms`;
}

// Ticks whose labels do not run into each other.
function apart(ticks, across) {
  const found = [];
  for (const tick of ticks) {
    if (!found.length || across(tick[0]) - across(found.at(-1)[0]) >= 26) found.push(tick);
  }
  return found;
}

function round(value) {
  return String(Number(Number(value).toPrecision(4)));
}
