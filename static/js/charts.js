"use strict";
// Cross-hair, tooltip and zoom on charts that the server has drawn.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const stamps = (timeZone) => new Intl.DateTimeFormat("en-GB", {
    timeZone, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
  });
  const written = (value, unit) => {
    if (value === null) return "no data";
    const shown = unit === "%" ? value * 100 : value;
    const text = shown.toLocaleString("en-GB", { maximumSignificantDigits: unit === "%" ? 5 : 4 });
    return unit ? `${text} ${unit}` : text;
  };
  const nearest = (instants, at) => {
    let low = 0;
    let high = instants.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (instants[middle] < at) low = middle;
      else high = middle;
    }
    return at - instants[low] < instants[high] - at ? low : high;
  };
  const mark = (plot, name, className) => {
    const element = document.createElementNS(SVG, name);
    element.setAttribute("class", className);
    plot.append(element);
    return element;
  };

  const enliven = (figure) => {
    if (figure.dataset.live) return;
    const source = figure.querySelector('script[type="application/json"]');
    const box = figure.querySelector(".chart-box");
    const plot = figure.querySelector(".chart-svg");
    if (!source || !box || !plot) return;
    const data = JSON.parse(source.textContent);
    if (!data.t.length) return;
    figure.dataset.live = "1";

    const height = plot.getAttribute("height");
    const stamp = stamps(data.zone);
    let line = null;
    let tooltip = null;
    let selection = null;
    let anchor = null;

    const share = (event) => {
      const frame = plot.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - frame.left) / frame.width, 0), 1);
    };
    const hide = () => {
      line?.remove();
      tooltip?.remove();
      line = tooltip = null;
    };
    const show = (part) => {
      const at = data.from + part * (data.to - data.from);
      const index = nearest(data.t, at);
      const x = ((data.t[index] - data.from) / (data.to - data.from)) * 100;
      line ??= mark(plot, "line", "crosshair");
      line.setAttribute("x1", `${x}%`);
      line.setAttribute("x2", `${x}%`);
      line.setAttribute("y2", height);
      if (!tooltip) {
        tooltip = document.createElement("div");
        tooltip.className = "tooltip";
        box.append(tooltip);
      }
      const list = document.createElement("ul");
      for (const series of data.series) {
        const item = document.createElement("li");
        item.className = `series-${series.color}`;
        const value = document.createElement("b");
        value.textContent = written(series.values[index], data.unit);
        item.append(series.label, value);
        list.append(item);
      }
      tooltip.replaceChildren(stamp.format(new Date(data.t[index] * 1000)), list);
      const frame = plot.getBoundingClientRect();
      const place = frame.left - box.getBoundingClientRect().left + (x / 100) * frame.width;
      const flip = place + tooltip.offsetWidth + 16 > box.clientWidth;
      tooltip.style.left = `${Math.max(flip ? place - tooltip.offsetWidth - 12 : place + 12, 0)}px`;
    };
    const select = (part) => {
      selection ??= mark(plot, "rect", "selection");
      selection.setAttribute("x", `${Math.min(anchor, part) * 100}%`);
      selection.setAttribute("width", `${Math.abs(part - anchor) * 100}%`);
      selection.setAttribute("height", height);
    };
    const zoom = (start, end) => {
      const address = new URL(location.href);
      const iso = (part) => {
        const seconds = data.from + part * (data.to - data.from);
        return new Date(Math.round(seconds) * 1000).toISOString().replace(".000Z", "Z");
      };
      address.searchParams.set("from", iso(start));
      address.searchParams.set("to", iso(end));
      location.assign(address);
    };

    box.addEventListener("pointermove", (event) => {
      const part = share(event);
      if (anchor === null) show(part);
      else select(part);
    });
    box.addEventListener("pointerleave", hide);
    if (!("zoom" in figure.dataset)) return;
    box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      anchor = share(event);
      box.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    box.addEventListener("pointerup", (event) => {
      if (anchor === null) return;
      const [start, end] = [anchor, share(event)].sort((a, b) => a - b);
      selection?.remove();
      selection = anchor = null;
      if (end - start > 0.02) zoom(start, end);
    });
    box.addEventListener("dblclick", () => {
      const address = new URL(location.href);
      address.searchParams.delete("from");
      address.searchParams.delete("to");
      if (address.href !== location.href) location.assign(address);
    });
  };

  const all = (scope) => {
    if (scope.matches?.("figure.chart")) enliven(scope);
    scope.querySelectorAll("figure.chart").forEach(enliven);
  };
  all(document);
  document.addEventListener("htmx:afterSettle", (event) => all(event.detail.elt));
})();
