/* Draws a sweep: the figure by trial, in sample against out of sample, against each name. Needs uPlot. */
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("sweep").textContent);
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const charts = [];

  const WHOLE = [1, 2, 5].flatMap((digit) => [0, 1, 2, 3, 4].map((power) => digit * 10 ** power)).sort((a, b) => a - b);

  /* Marks below the chart at whole numbers alone, where it counts something. */
  const axes = (isCount) => [0, 1].map((place) => ({
    ...(isCount && !place ? { incrs: WHOLE } : {}),
    stroke: css("--faint"), grid: { stroke: css("--rule"), width: 1 }, ticks: { stroke: css("--rule"), width: 1 },
    size: place ? 72 : 40,
  }));
  const dots = (label, colour) => ({ label, stroke: colour, fill: colour, paths: () => null, points: { show: true, size: 5 } });
  const line = (label, colour) => ({ label, stroke: colour, width: 2, points: { show: false } });

  function draw(box, columns, series, xLabel, height, isCount = false) {
    if (!box || !columns[0].length) return;
    const chart = new uPlot({
      width: box.clientWidth, height, series: [{ label: xLabel }, ...series], axes: axes(isCount),
      scales: { x: { time: false, range: (_, low, high) => [low - (high - low || 1) * 0.03, high + (high - low || 1) * 0.03] } },
    }, columns, box);
    charts.push([chart, box, height]);
  }

  /* The best of all up to each trial. */
  function bestSoFar(values) {
    let best = null;
    return values.map((value) => (best = best === null || data.sign * value > data.sign * best ? value : best));
  }

  if (data.trials) {
    const [trials, values] = data.trials;
    draw(document.getElementById("chart-trials"), [trials, values, bestSoFar(values)],
      [dots(data.figure, css("--accent")), line("best so far", css("--good"))], "trial", 240, true);
  }
  if (data.folds) {
    const inAndOut = [["in sample", "--accent"], ["out of sample", "--warn"]];
    draw(document.getElementById("chart-folds"), data.folds,
      inAndOut.map(([label, colour]) => ({ ...line(label, css(colour)), points: { show: true, size: 7 } })), "fold", 240, true);
  }
  for (const box of document.querySelectorAll("[data-against]")) {
    const columns = data.against[box.dataset.against];
    if (columns) draw(box, columns, [dots(data.figure, css("--accent"))], box.dataset.against, 200);
    else box.closest(".panel").remove();
  }
  document.documentElement.dataset.drawn = "yes";
  addEventListener("resize", () => {
    for (const [chart, box, height] of charts) chart.setSize({ width: box.clientWidth, height });
  });
})();
