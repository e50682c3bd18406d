// The plots, and what is told to whoever listens. htmx does all the rest.
"use strict";
(() => {
  const plots = [
    { id: "plot-rate", series: [["messages", "stored/min", "--one"], ["deliveries", "delivered/min", "--fine", [6, 4]], ["errors", "errors/min", "--bad", [2, 3]]], show: (v) => v.toLocaleString("en", { maximumFractionDigits: 1 }) },
    { id: "plot-time", series: [["mean_ms", "mean", "--one"], ["p95_ms", "highest p95", "--two", [6, 4]]], show: (v) => v.toFixed(1) + " ms" },
    { id: "plot-size", series: [["mean_bytes", "mean", "--one"], ["largest_bytes", "largest", "--two", [6, 4]]], show: size },
  ];
  const drawn = new Map();

  function size(bytes) {
    const units = ["B", "KB", "MB", "GB", "TB"];
    let unit = 0;
    while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
    return bytes.toFixed(unit || bytes % 1 ? 1 : 0) + " " + units[unit];
  }

  // UTC as in the tables; days where the plot spans some.
  function moment(seconds, plot) {
    const text = new Date(seconds * 1000).toISOString();
    const { min, max } = plot.scales.x;
    return max - min > 172800 ? text.slice(5, 10) : text.slice(11, 16);
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function options(plot, width) {
    const line = colour("--line"), ink = colour("--quiet");
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    return {
      width, height: 180, cursor: { drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [{ ...axis, values: (u, all) => all.map((v) => moment(v, u)) }, { ...axis, size: 72, values: (_, all) => all.map((v) => (v === null ? "" : plot.show(v))) }],
      series: [{ label: "UTC", value: (u, v) => (v === null ? "–" : moment(v, u)) }, ...plot.series.map(([, label, name, dash]) => ({
        label, stroke: colour(name), width: 2, dash, spanGaps: false,
        points: { size: 5 }, value: (_, v) => (v === null || v === undefined ? "–" : plot.show(v)),
      }))],
    };
  }

  function draw(anew) {
    const data = document.getElementById("data");
    if (!data) return;
    const columns = JSON.parse(data.dataset.plots);
    for (const plot of plots) {
      const place = document.getElementById(plot.id);
      if (!place) continue;
      const values = [columns.x, ...plot.series.map(([name]) => columns[name])];
      if (anew && drawn.has(plot.id)) { drawn.get(plot.id).destroy(); drawn.delete(plot.id); }
      if (drawn.has(plot.id)) drawn.get(plot.id).setData(values);
      else drawn.set(plot.id, new uPlot(options(plot, place.clientWidth), values, place));
    }
    const told = document.getElementById("told");
    if (told && told.textContent !== data.dataset.told) told.textContent = data.dataset.told;
  }

  // What a live part takes away when it is replaced, and gets back: the focus of whoever goes by
  // keys, and how far a table was scrolled. While something in it is selected, it stays.
  let kept = null;
  function focusable(part) { return [...part.querySelectorAll("a[href], button, [tabindex]")]; }

  function before(event) {
    const part = event.target, chosen = window.getSelection();
    if (chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode)) { event.preventDefault(); return; }
    const here = document.activeElement;
    kept = {
      href: here.getAttribute("href"), place: focusable(part).indexOf(here),
      scrolled: [...part.querySelectorAll(".scroll")].map((one) => one.scrollLeft),
    };
  }

  function after(event) {
    const part = event.target;
    draw(false);
    if (!kept) return;
    part.querySelectorAll(".scroll").forEach((one, at) => { one.scrollLeft = kept.scrolled[at] || 0; });
    if (kept.place >= 0) {
      const now = focusable(part);
      const same = kept.href && now.find((one) => one.getAttribute("href") === kept.href);
      const next = same || now[Math.min(kept.place, now.length - 1)];
      if (next) next.focus({ preventScroll: true });
    }
    kept = null;
  }

  // Whether news comes. An EventSource is not told why it was turned away: that is asked.
  function lost() {
    const line = document.getElementById("line");
    if (line && line.hidden) {
      line.textContent = `Not live since ${new Date().toISOString().slice(11, 19)} UTC: no news comes. Trying again.`;
      line.hidden = false;
    }
    fetch("/ui/events").then((answer) => {
      if (answer.status === 401) location.assign("/ui/login?next=" + encodeURIComponent(location.pathname + location.search));
    }).catch(() => {});
  }

  function found() {
    const line = document.getElementById("line");
    if (line) line.hidden = true;
  }

  let last = 0;
  function refit() {
    if (window.innerWidth === last) return;
    last = window.innerWidth;
    draw(true);
  }

  document.addEventListener("DOMContentLoaded", () => { last = window.innerWidth; draw(false); });
  document.addEventListener("htmx:sseBeforeMessage", before);
  document.addEventListener("htmx:sseMessage", after);
  document.addEventListener("htmx:sseError", lost);
  document.addEventListener("htmx:sseOpen", found);
  window.addEventListener("resize", refit);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
})();
