/**
 * The drawing of bars: candles or a line, volume, price scale, crosshair. A thin wrapper of TradingView's
 * lightweight-charts, which the service takes from an installed package and serves under vendor/.
 *
 * Promises: the library is loaded when `loadChart` is first called; colours are the page's own and follow its theme;
 * nothing here needs inline styles or scripts. Never loads bars or decides how often they are drawn.
 */

import { colours, faded } from "./colours.js";

const LIBRARY = "vendor/lightweight-charts-5.1.0.js";
const VOLUME_SHARE = 0.16;
const MARK_SHARE = 0.005;
const MOST_DECIMALS = 17; // the library draws nothing if 1 / 10 ** -n is not exactly a power of ten, as with 18
const BAR_WIDTH = 6;

/** @returns {Promise<typeof Chart>} @throws where the library is missing */
export async function loadChart() {
  if (window.LightweightCharts === undefined) await import(new URL(LIBRARY, document.baseURI).href);
  return Chart;
}

class Chart {
  /** Called with the index of the bar under the crosshair, or null. */
  onPoint = () => {};

  #library = window.LightweightCharts;
  #place;
  #chart;
  #series = null;
  #priceLine = null;
  #volume;
  #marks;
  #kind = null;
  #colours;
  #bars = [];
  #formatPrice = String;
  #formatTime = String;
  #minMove = 0.01;
  #shiftMs = () => 0;
  #seconds = []; // when each bar begins, as passed to the library

  /** @param {HTMLElement} place an empty element that the chart fills */
  constructor(place) {
    this.#place = place;
    this.#chart = this.#library.createChart(place, {
      autoSize: true,
      layout: { attributionLogo: false, fontSize: 11.5 },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.06, bottom: 0.2 }, minimumWidth: 76, entireTextOnly: true },
      timeScale: { borderVisible: false, timeVisible: true, rightOffset: 2, barSpacing: BAR_WIDTH, minBarSpacing: 1, allowBoldLabels: false },
      crosshair: { mode: this.#library.CrosshairMode.Normal },
      handleScroll: { vertTouchDrag: false },
      localization: {
        locale: "en", // like the page's own words; the library may not accept the browser's
        priceFormatter: (price) => this.#formatPrice(price),
        timeFormatter: (seconds) => this.#formatTime(seconds * 1000),
      },
    });
    this.#volume = this.#histogram("volume", VOLUME_SHARE);
    this.#marks = this.#histogram("marks", MARK_SHARE);
    this.#chart.subscribeCrosshairMove(({ logical, point }) => {
      this.onPoint(point === undefined || logical === undefined ? null : Math.round(logical));
    });
    this.#colours = colours(place);
  }

  #histogram(priceScaleId, share) {
    const series = this.#chart.addSeries(this.#library.HistogramSeries, {
      priceScaleId, priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false,
    });
    series.priceScale().applyOptions({ scaleMargins: { top: 1 - share, bottom: 0 } });
    return series;
  }

  /**
   * Draw this in place of what is there.
   * @param {import("../store/bars.js").Bar[]} bars
   * @param {"candles" | "line"} kind
   * @param {{decimals: number | null, format: (price: number) => string, formatTime: (ms: number) => string,
   *   shiftMs: (ms: number) => number, days: boolean}} scale
   * @param {boolean} keepPlace stay where the user has scrolled to: these are the same bars
   */
  draw(bars, kind, { decimals, format, formatTime, shiftMs, days }, keepPlace) {
    const range = keepPlace ? this.#chart.timeScale().getVisibleLogicalRange() : null;
    this.#bars = bars;
    this.#formatPrice = format;
    this.#formatTime = formatTime;
    this.#shiftMs = shiftMs;
    this.#minMove = 10 ** -Math.min(decimals ?? 8, MOST_DECIMALS);
    if (kind !== this.#kind) this.#newSeries(kind);
    this.#chart.timeScale().applyOptions({ timeVisible: !days });
    this.#paint();
    this.#fill();
    if (range !== null) this.#chart.timeScale().setVisibleLogicalRange(range);
    else this.#chart.timeScale().applyOptions({ barSpacing: BAR_WIDTH });
    if (range === null) this.#chart.timeScale().scrollToRealTime();
  }

  /** The last bars have changed, from this index on. */
  update(from) {
    this.#markPrice();
    this.#time(from);
    for (let i = from; i < this.#bars.length; i += 1) {
      this.#series.update(this.#point(this.#bars[i], i));
      this.#volume.update(this.#volumePoint(this.#bars[i], i));
      this.#marks.update(this.#markPoint(this.#bars[i], i));
    }
  }

  /** Put the crosshair on the bar with this index, wherever that is; null: nowhere. */
  point(index) {
    if (index === null) return this.#chart.clearCrosshairPosition();
    const scale = this.#chart.timeScale();
    const { from, to } = scale.getVisibleLogicalRange();
    const shift = Math.min(0, index - from) + Math.max(0, index - to);
    if (shift !== 0) scale.setVisibleLogicalRange({ from: from + shift, to: to + shift });
    this.#chart.setCrosshairPosition(this.#bars[index].close, this.#seconds[index], this.#series);
  }

  /** The page's colours have changed. */
  repaint() {
    this.#colours = colours(this.#place);
    this.#paint();
    this.#fill();
  }

  /** The page's colours as it draws with them. */
  get colours() {
    return this.#colours;
  }

  get priceSeries() {
    return this.#series;
  }

  /** Whether dragging moves the chart. */
  set scrollable(on) {
    this.#chart.applyOptions({ handleScroll: on, handleScale: on });
  }

  #newSeries(kind) {
    if (this.#series !== null) this.#chart.removeSeries(this.#series);
    this.#kind = kind;
    const { CandlestickSeries, AreaSeries } = this.#library;
    const plain = { lastValueVisible: false, priceLineVisible: false };
    this.#series = this.#chart.addSeries(kind === "candles" ? CandlestickSeries : AreaSeries, plain);
    this.#priceLine = this.#series.createPriceLine({ price: 0, lineWidth: 1, lineStyle: this.#library.LineStyle.Dotted });
  }

  #paint() {
    const { text3, hairline, line, accent, up, down, surface } = this.#colours;
    const label = { color: text3, width: 1, labelBackgroundColor: line };
    this.#chart.applyOptions({
      layout: {
        background: { type: "solid", color: surface }, textColor: text3, fontFamily: getComputedStyle(this.#place).fontFamily,
      },
      grid: { vertLines: { visible: false }, horzLines: { color: hairline } },
      crosshair: { vertLine: label, horzLine: label },
    });
    const format = { type: "custom", minMove: this.#minMove, formatter: this.#formatPrice };
    const alike = up === down; // with forced colours, where rising candles are hollow
    const borders = { borderVisible: alike, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down };
    this.#series.applyOptions(this.#kind === "candles"
      ? { priceFormat: format, upColor: alike ? surface : up, downColor: down, ...borders }
      : { priceFormat: format, lineColor: accent, lineWidth: 2, topColor: faded(accent, 0.16), bottomColor: faded(accent, 0) });
  }

  // The library's own label of the last price is white on light colours.
  #markPrice() {
    const { open, close } = this.#bars.at(-1);
    const { up, down, surface } = this.#colours;
    const color = close < open ? down : up;
    this.#priceLine.applyOptions({ price: close, color, axisLabelColor: color, axisLabelTextColor: surface });
  }

  #fill() {
    this.#markPrice();
    this.#time(0);
    this.#series.setData(this.#bars.map((bar, i) => this.#point(bar, i)));
    this.#volume.setData(this.#bars.map((bar, i) => this.#volumePoint(bar, i)));
    this.#marks.setData(this.#bars.map((bar, i) => this.#markPoint(bar, i)));
  }

  // The library knows no time zones: it gets times shifted to local ones. When clocks are set back, the bars of the
  // repeated hour stand a second apart at its end, since times must increase.
  #time(from) {
    for (let i = from; i < this.#bars.length; i += 1) {
      const { t } = this.#bars[i];
      const seconds = (t + this.#shiftMs(t)) / 1000;
      this.#seconds[i] = i === 0 ? seconds : Math.max(seconds, this.#seconds[i - 1] + 1);
    }
  }

  #point({ open, high, low, close }, i) {
    const time = this.#seconds[i];
    return this.#kind === "candles" ? { time, open, high, low, close } : { time, value: close };
  }

  #volumePoint({ open, close, volume }, i) {
    const time = this.#seconds[i];
    const { up, down } = this.#colours;
    return volume === null ? { time } : { time, value: volume, color: faded(close < open ? down : up, 0.32) };
  }

  // A dotted line along the bottom, under bars that this service has not recorded itself.
  #markPoint({ own, gap }, i) {
    const time = this.#seconds[i];
    return own || gap ? { time, value: 1, color: gap ? this.#colours.warning : this.#colours.control } : { time };
  }
}
