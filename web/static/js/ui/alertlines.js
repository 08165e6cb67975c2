/**
 * Alert lines on the chart: a dotted line at the price of each price alert, which can be dragged to another price.
 */

const NEAR_PX = 6;

export class AlertLines {
  #chart;
  #place;
  #alerts;
  #round;
  #symbol = null;
  #lines = new Map(); // alert id -> {line, value}
  #series = null;
  #dragged = null;

  /**
   * @param {import("./chart.js").Chart} chart
   * @param {HTMLElement} place that the chart fills
   * @param {import("../store/alerts.js").Alerts} alerts
   * @param {(price: number) => number} round to the symbol's decimals
   */
  constructor(chart, place, alerts, round) {
    this.#chart = chart;
    this.#place = place;
    this.#alerts = alerts;
    this.#round = round;
    // Before the chart's own listeners, or it would scroll.
    place.addEventListener("pointerdown", (event) => this.#grab(event), { capture: true });
    place.addEventListener("pointermove", (event) => this.#drag(event), { capture: true });
    for (const type of ["pointerup", "pointercancel"]) place.addEventListener(type, (event) => this.#drop(event), { capture: true });
  }

  /** Draw the lines of this symbol. @param {{warning: string, surface: string}} colours of line and label */
  show(symbol, colours) {
    const series = this.#chart.priceSeries;
    if (symbol !== this.#symbol || series !== this.#series) this.#clear(series);
    this.#symbol = symbol;
    this.#series = series;
    const wanted = new Map(this.#alerts.for(symbol).filter(({ kind }) => kind === "price").map((one) => [one.id, one]));
    for (const [id, { line }] of this.#lines) {
      if (wanted.has(id)) continue;
      series.removePriceLine(line);
      this.#lines.delete(id);
    }
    for (const [id, { value }] of wanted) this.#draw(id, value, colours);
  }

  #draw(id, value, { warning: color, surface: axisLabelTextColor }) {
    const drawn = this.#lines.get(id);
    if (drawn === undefined) {
      const line = this.#series.createPriceLine({ price: value, color, axisLabelTextColor, lineWidth: 1, lineStyle: 1 });
      this.#lines.set(id, { line, value });
    } else if (id !== this.#dragged && (drawn.value !== value || drawn.line.options().color !== color)) {
      drawn.value = value;
      drawn.line.applyOptions({ price: value, color, axisLabelTextColor });
    }
  }

  #clear(series) {
    if (series === this.#series) for (const { line } of this.#lines.values()) series.removePriceLine(line);
    this.#lines.clear();
    this.#dragged = null;
  }

  #near(event) {
    const y = event.clientY - this.#place.getBoundingClientRect().top;
    for (const [id, { value }] of this.#lines) {
      if (Math.abs(this.#series.priceToCoordinate(value) - y) <= NEAR_PX) return id;
    }
    return null;
  }

  #grab(event) {
    const id = this.#near(event);
    if (id === null || event.button !== 0) return;
    this.#dragged = id;
    this.#place.setPointerCapture(event.pointerId); // it may be released outside
    this.#chart.scrollable = false;
  }

  #drag(event) {
    if (this.#dragged === null) {
      this.#place.classList.toggle("grabbing", this.#near(event) !== null);
      return;
    }
    const price = this.#series.coordinateToPrice(event.clientY - this.#place.getBoundingClientRect().top);
    const drawn = this.#lines.get(this.#dragged);
    if (drawn === undefined || price === null || price <= 0) return;
    drawn.value = this.#round(price);
    drawn.line.applyOptions({ price: drawn.value });
  }

  #drop({ type }) {
    if (this.#dragged === null) return;
    const id = this.#dragged;
    this.#dragged = null;
    this.#chart.scrollable = true;
    const drawn = this.#lines.get(id);
    // If cancelled, the finger scrolls the panel, and the next drawing puts the line back.
    if (drawn !== undefined && type === "pointerup") this.#alerts.move(id, drawn.value);
  }
}
