/* Draws the run: price with trades, equity, falls, events on one time axis, and distributions. Needs uPlot. */
(() => {
  "use strict";
  let run;
  const box = (id) => document.getElementById(id);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");
  const stamp = (seconds) => new Date(seconds * 1000).toISOString().replace("T", " ").slice(0, 19);
  const money = (value) => value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const [ID, SIGN, IN_T, IN_P, OUT_T, OUT_P, STOP, TARGET, PNL, R, WHY] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  const GUTTER = 64;
  const LANE_PX = 22;
  const DETAIL_PX = 14; // a trade at least this wide shows its stop and target
  let barSec, whole, view;

  /* Takes what is to be drawn; who looked at all of it goes on doing so. */
  function take(data) {
    const isWhole = !view || (view[0] === whole[0] && view[1] === whole[1]);
    run = data;
    barSec = run.bars.sec || 1;
    const times = [...run.bars.t, ...run.trades.flatMap((trade) => [trade[IN_T], trade[OUT_T]]), ...run.window];
    const known = times.filter((time) => time > 0);
    whole = [least(known) - barSec / 2, most(known) + barSec / 2];
    if (isWhole) view = [...whole];
  }

  let charts = []; // they share the time axis
  let bins = []; // the distributions
  let focused = null;

  // Math.min(...list) overflows the stack on long lists
  function least(list) { return list.reduce((found, value) => (value < found ? value : found), list[0] ?? 0); }
  function most(list) { return list.reduce((found, value) => (value > found ? value : found), list[0] ?? 0); }

  // --- one time axis for all ---------------------------------------------------------------------------------------

  function show(from, to) {
    const shortest = barSec * 4;
    const span = Math.min(Math.max(to - from, shortest), whole[1] - whole[0] || shortest);
    const start = Math.min(Math.max(from, whole[0]), Math.max(whole[0], whole[1] - span));
    view = [start, start + span];
    for (const chart of charts) chart.setScale("x", { min: view[0], max: view[1] });
    if (box("zoom-hint")) box("zoom-hint").hidden = span >= (whole[1] - whole[0]) * 0.999;
  }

  function zoom(factor, at = (view[0] + view[1]) / 2) {
    show(at - (at - view[0]) * factor, at + (view[1] - at) * factor);
  }

  function pan(share) {
    const step = (view[1] - view[0]) * share;
    show(view[0] + step, view[1] + step);
  }

  /* Ctrl or pinch on a touchpad zooms, shift and wheel pans, a plain wheel scrolls the page; two fingers pinch. */
  function gestures(chart) {
    const over = chart.over;
    over.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, chart.posToVal(event.offsetX, "x"));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        pan((event.deltaX || event.deltaY) / over.clientWidth);
      }
    }, { passive: false });
    over.style.touchAction = "pan-y";
    const fingers = new Map();
    const spread = () => { const [a, b] = [...fingers.values()]; return [Math.abs(a - b) || 1, (a + b) / 2]; };
    over.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse") fingers.set(event.pointerId, event.clientX);
    });
    over.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      const before = fingers.get(event.pointerId);
      if (fingers.size === 2) {
        const [wide] = spread();
        fingers.set(event.pointerId, event.clientX);
        const [now, middle] = spread();
        zoom(wide / now, chart.posToVal(middle - over.getBoundingClientRect().left, "x"));
      } else {
        fingers.set(event.pointerId, event.clientX);
        pan((before - event.clientX) / over.clientWidth);
      }
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      over.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
  }

  // --- drawing -----------------------------------------------------------------------------------------------------

  function between(list, from, to) {
    let low = 0, high = list.length;
    while (low < high) { const middle = (low + high) >> 1; if (list[middle] < from) low = middle + 1; else high = middle; }
    let end = low;
    while (end < list.length && list[end] <= to) end += 1;
    return [low, end];
  }

  /* Candles in view; where there are more than pixels allow, neighbours are drawn as one. */
  function drawCandles(chart) {
    const { ctx, bbox } = chart;
    const { t, open, high, low, close, lost } = run.bars;
    const [begin, end] = between(t, view[0] - barSec, view[1]);
    if (end <= begin) return;
    const ratio = uPlot.pxRatio;
    const slot = Math.abs(chart.valToPos(t[begin] + barSec, "x", true) - chart.valToPos(t[begin], "x", true));
    const step = Math.max(1, Math.ceil((2.5 * ratio) / slot));
    const width = Math.max(1, Math.round(slot * step * 0.7));
    const colours = [css("--good"), css("--bad"), css("--faint")];
    const lostAt = new Set(lost);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (let i = begin - (begin % step); i < end; i += step) {
      const last = Math.min(i + step, t.length) - 1;
      let top = high[i], bottom = low[i], isLost = lostAt.has(i);
      for (let j = i + 1; j <= last; j += 1) {
        if (high[j] > top) top = high[j];
        if (low[j] < bottom) bottom = low[j];
        isLost = isLost || lostAt.has(j);
      }
      const x = Math.round(chart.valToPos(t[i] + (barSec * (last - i + 1)) / 2, "x", true));
      const y = [top, bottom, open[i], close[last]].map((price) => chart.valToPos(price, "y", true));
      ctx.fillStyle = isLost ? colours[2] : colours[close[last] >= open[i] ? 0 : 1];
      ctx.fillRect(x - Math.max(1, ratio) / 2, y[0], Math.max(1, ratio), Math.max(1, y[1] - y[0]));
      ctx.fillRect(x - width / 2, Math.min(y[2], y[3]), width, Math.max(ratio, Math.abs(y[2] - y[3])));
    }
    ctx.restore();
  }

  function visibleTrades() {
    return run.trades.filter((trade) => trade[OUT_T] >= view[0] && trade[IN_T] <= view[1]);
  }

  function isDetailed(chart, trades) {
    const wide = chart.over.clientWidth || 600;
    const held = trades.reduce((sum, trade) => sum + trade[OUT_T] - trade[IN_T], 0) / (trades.length || 1);
    return (held / (view[1] - view[0])) * wide >= DETAIL_PX;
  }

  function drawTrades(chart) {
    const { ctx, bbox } = chart;
    const ratio = uPlot.pxRatio;
    const trades = visibleTrades();
    const detailed = isDetailed(chart, trades);
    const isCrowded = trades.length > chart.over.clientWidth / 8;
    const good = css("--good"), bad = css("--bad"), ink = css("--accent"), card = css("--card");
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const trade of trades) {
      const x = [trade[IN_T], trade[OUT_T]].map((time) => chart.valToPos(time, "x", true));
      const y = [trade[IN_P], trade[OUT_P]].map((price) => chart.valToPos(price, "y", true));
      const isFocused = focused === trade[ID];
      if (detailed || isFocused) {
        for (const [place, colour] of [[STOP, bad], [TARGET, good]]) {
          if (trade[place] === null) continue;
          const level = chart.valToPos(trade[place], "y", true);
          ctx.fillStyle = colour;
          ctx.globalAlpha = 0.13;
          ctx.fillRect(x[0], Math.min(level, y[0]), x[1] - x[0], Math.abs(level - y[0]));
          ctx.globalAlpha = 1;
          line(ctx, x[0], level, x[1], level, colour, ratio, [4 * ratio, 3 * ratio]);
        }
      }
      const outcome = trade[PNL] > 0 ? good : trade[PNL] < 0 ? bad : ink;
      if (isCrowded && !isFocused) {
        ctx.fillStyle = ink;
        ctx.fillRect(x[0] - ratio, y[0] + (trade[SIGN] > 0 ? 4 : -8) * ratio, 2 * ratio, 4 * ratio);
        continue;
      }
      line(ctx, x[0], y[0], x[1], y[1], outcome, (isFocused ? 3 : 1.5) * ratio, []);
      triangle(ctx, x[0], y[0], trade[SIGN], 6 * ratio, ink, card);
      circle(ctx, x[1], y[1], 3.5 * ratio, outcome, card);
    }
    ctx.restore();
  }

  function line(ctx, x0, y0, x1, y1, colour, width, dash) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = width;
    ctx.setLineDash(dash);
    ctx.beginPath();
    ctx.moveTo(x0, y0);
    ctx.lineTo(x1, y1);
    ctx.stroke();
    ctx.setLineDash([]);
  }

  /* An entry points where it wants the price to go, and stands on the other side of it. */
  function triangle(ctx, x, y, sign, size, colour, edge) {
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x - size * 0.8, y + sign * size * 1.4);
    ctx.lineTo(x + size * 0.8, y + sign * size * 1.4);
    ctx.closePath();
    paint(ctx, colour, edge);
  }

  function circle(ctx, x, y, radius, colour, edge) {
    ctx.beginPath();
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
    paint(ctx, colour, edge);
  }

  function paint(ctx, colour, edge) {
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.strokeStyle = edge;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.stroke();
  }

  function drawSpells(chart) {
    const { ctx, bbox } = chart;
    const ratio = uPlot.pxRatio;
    const height = bbox.height / run.lanes.length;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const [lane, from, to] of run.spells) {
      if (to < view[0] || from > view[1]) continue;
      const x = [from, to].map((time) => chart.valToPos(time, "x", true));
      ctx.fillStyle = css(run.lanes[lane] === "refused" ? "--faint" : "--warn");
      const width = Math.max(3 * ratio, x[1] - x[0]);
      ctx.fillRect(x[0] - (x[1] === x[0] ? width / 2 : 0), bbox.top + height * (lane + 0.2), width, height * 0.6);
    }
    ctx.fillStyle = css("--faint");
    ctx.font = `${11 * ratio}px system-ui, sans-serif`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    run.lanes.forEach((name, lane) => {
      const y = bbox.top + height * (lane + 0.5);
      ctx.globalAlpha = 0.85;
      ctx.fillStyle = css("--card");
      ctx.fillRect(bbox.left, y - 7 * ratio, ctx.measureText(name).width + 8 * ratio, 14 * ratio);
      ctx.globalAlpha = 1;
      ctx.fillStyle = css("--faint");
      ctx.fillText(name, bbox.left + 4 * ratio, y);
    });
    ctx.restore();
  }

  // --- charts ------------------------------------------------------------------------------------------------------

  const sync = uPlot.sync("run");

  // how times read at each distance of the ticks: the usual text, and what is added where year or day change
  const day = ["\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1];
  const CLOCK = [
    [86400 * 365, "{YYYY}", null, null, null, null, null, null, 1],
    [86400 * 28, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
    [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
    [60, "{HH}:{mm}", ...day],
    [1, "{HH}:{mm}:{ss}", ...day],
    [0.001, "{ss}.{fff}", ...day],
  ];

  function axes(isLast, values) {
    const grid = { stroke: css("--rule"), width: 1 };
    const common = { stroke: css("--faint"), grid, ticks: { ...grid, size: 4 }, font: "11px system-ui, sans-serif" };
    return [
      { ...common, show: isLast, size: 34, space: 70, values: CLOCK },
      { ...common, size: GUTTER, space: 34, ...(values ? { values: (_, ticks) => ticks.map(values) } : {}) },
    ];
  }

  function timeChart(id, height, data, series, extra) {
    const holder = box(id);
    holder.replaceChildren();
    const isBare = !extra.axes[0].show; // a label at the lower edge needs room of its own
    const options = {
      width: holder.clientWidth, height, tzDate: utc, legend: { show: false }, padding: [8, 26, isBare ? 8 : 0, 0],
      cursor: { sync: { key: sync.key, scales: ["x", null] }, drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
      series: [{}, ...series],
      ...extra,
      scales: { x: { time: true, range: () => view }, ...extra.scales },
      hooks: {
        ...extra.hooks,
        setSelect: [(chart) => {
          if (chart.select.width < 8) return;
          const from = chart.posToVal(chart.select.left, "x"), to = chart.posToVal(chart.select.left + chart.select.width, "x");
          chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          show(from, to);
        }],
        setCursor: [(chart) => { if (chart.cursor.event || chart.cursor.left >= 0) readOut(chart.posToVal(chart.cursor.left, "x"), chart.cursor.left); }],
      },
    };
    const chart = new uPlot(options, data, holder);
    chart.over.addEventListener("dblclick", () => show(...whole));
    gestures(chart);
    charts.push(chart);
    return chart;
  }

  const invisible = { paths: () => null, points: { show: false }, scale: "y" };

  function build() {
    for (const chart of [...charts, ...bins]) chart.destroy();
    charts = [];
    bins = [];
    const isNarrow = innerWidth < 600;
    const hasEvents = run.lanes.length > 0 && box("events") !== null; // a run without a candle has no charts
    if (run.bars.t.length) {
      const range = (chart, low, high) => {
        let [bottom, top] = [low ?? 0, high ?? 1];
        const trades = visibleTrades();
        if (isDetailed(chart, trades)) {
          for (const trade of trades) {
            for (const price of [trade[STOP], trade[TARGET], trade[IN_P], trade[OUT_P]]) {
              if (price !== null) { bottom = Math.min(bottom, price); top = Math.max(top, price); }
            }
          }
        }
        const room = (top - bottom) * 0.06 || top * 0.001;
        return [bottom - room, top + room];
      };
      timeChart("price", isNarrow ? 280 : 400, [run.bars.t, run.bars.high, run.bars.low], [invisible, invisible], {
        axes: axes(false), scales: { y: { range } }, hooks: { draw: [drawCandles, drawTrades] },
      });
    }
    if (run.equity.t.length > 1) {
      const accent = css("--accent"), bad = css("--bad");
      const stepped = uPlot.paths.stepped({ align: 1 });
      timeChart("equity", isNarrow ? 110 : 140, [run.equity.t, run.equity.value],
        [{ stroke: accent, width: 2, fill: `${accent}22`, paths: stepped, points: { show: false } }], { axes: axes(false) });
      timeChart("fall", (isNarrow ? 80 : 90) + (hasEvents ? 0 : 34), [run.equity.t, run.equity.fall],
        [{ stroke: bad, width: 1.5, fill: `${bad}33`, fillTo: 0, paths: stepped, points: { show: false } }],
        { axes: axes(!hasEvents, (value) => `${+value.toPrecision(6)} %`), scales: { y: { range: (_, low) => [Math.min(low ?? 0, -0.01) * 1.1, 0] } } });
    }
    if (hasEvents) {
      timeChart("events", run.lanes.length * LANE_PX + 46, [[whole[0], whole[1]], [0, 0]], [invisible], {
        axes: axes(true, () => ""), scales: { y: { range: () => [0, 1] } }, hooks: { draw: [drawSpells] },
      });
    }
    for (const name of ["r", "holding", "latency", "slippage"]) distribution(name);
    show(...view);
  }

  const UNITS = { r: "R", holding: "s", latency: "ms", slippage: "bps" };

  function distribution(name) {
    const holder = box(`chart-${name}`), found = run[name];
    if (!holder || !found) return;
    holder.replaceChildren();
    const { start, width, counts } = found;
    const middles = counts.map((_, index) => start + (index + 0.5) * width);
    const isLoss = middles.map((middle) => name === "r" && middle < 0);
    const data = [middles, counts.map((count, i) => (isLoss[i] ? null : count)), counts.map((count, i) => (isLoss[i] ? count : null))];
    const bars = uPlot.paths.bars({ size: [0.92, 80] });
    const colours = name === "r" ? [css("--good"), css("--bad")] : [css("--accent"), css("--accent")];
    const grid = { stroke: css("--rule"), width: 1 };
    const common = { stroke: css("--faint"), grid, ticks: { ...grid, size: 4 }, font: "11px system-ui, sans-serif" };
    const told = box(`told-${name}`);
    const plain = (value) => +value.toPrecision(10);
    bins.push(new uPlot({
      width: holder.clientWidth, height: 170, legend: { show: false }, padding: [8, 12, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
      series: [{}, ...colours.map((colour) => ({ fill: `${colour}bb`, stroke: colour, width: 1, paths: bars, points: { show: false } }))],
      scales: { x: { time: false, range: [start - width * 0.5, start + width * (counts.length + 0.5)] }, y: { range: (_, __, high) => [0, Math.max(1, high * 1.08)] } },
      axes: [{ ...common, size: 30, space: 56 }, { ...common, size: 40, space: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000] }],
      hooks: { setCursor: [(chart) => {
        const index = chart.cursor.idx;
        if (index === null || index === undefined || chart.cursor.left < 0) return;
        const from = start + index * width;
        told.textContent = `${counts[index]} from ${plain(from)} to ${plain(from + width)} ${UNITS[name]}`;
      }] },
    }, data, holder));
  }

  // --- what is under the cursor ------------------------------------------------------------------------------------

  function readOut(time, left) {
    if (left < 0) return;
    const words = [stamp(time)];
    const [, end] = between(run.bars.t, -Infinity, time);
    if (end > 0 && time < run.bars.t[end - 1] + barSec * 1.5) {
      const at = end - 1;
      words.push(["open", "high", "low", "close"].map((name) => `${name[0].toUpperCase()} ${run.bars[name][at]}`).join("  "));
    }
    const [, point] = between(run.equity.t, -Infinity, time);
    if (point > 0) words.push(`equity ${money(run.equity.value[point - 1])}`, `${run.equity.fall[point - 1].toFixed(2)} %`);
    const near = (view[1] - view[0]) / 150;
    const trade = run.trades.findLast((each) => each[IN_T] - near <= time && time <= each[OUT_T] + near);
    if (trade) words.push(`trade ${trade[ID]} ${trade[SIGN] > 0 ? "LONG" : "SHORT"} ${money(trade[PNL])} (${trade[R].toFixed(2)} R, ${trade[WHY]})`);
    const spells = run.spells.filter(([, from, to]) => from - near <= time && time <= to + near).slice(0, 3);
    words.push(...spells.map((spell) => spell[3]));
    box("readout").textContent = words.join("  ·  ");
  }

  function focusTrade(id) {
    const trade = run.trades.find((each) => each[ID] === id);
    if (!trade || !run.bars.t.length) return;
    focused = id;
    const room = Math.max((trade[OUT_T] - trade[IN_T]) * 1.5, barSec * 12);
    show(trade[IN_T] - room, trade[OUT_T] + room);
    readOut(trade[OUT_T], 0);
    box("market").scrollIntoView({ behavior: "smooth", block: "start" });
  }

  document.addEventListener("click", (event) => {
    const act = event.target.closest("[data-act]");
    if (act) ({ in: () => zoom(0.5), out: () => zoom(2), left: () => pan(-0.5), right: () => pan(0.5), all: () => { focused = null; show(...whole); } })[act.dataset.act]();
    const row = event.target.closest("tr[data-trade]");
    if (row && !String(getSelection())) focusTrade(Number(row.dataset.trade));
  });
  const again = () => run && build();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let wide = innerWidth;
  let waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === wide) return;
    wide = innerWidth;
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(again);
  });
  const draw = (data) => { take(data); build(); document.documentElement.dataset.drawn = "yes"; };
  document.addEventListener("run", (event) => draw(event.detail));
  if (box("run")) draw(JSON.parse(box("run").textContent));
})();
