'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const COLOURS = ['#2f7ed8', '#e0701a', '#1f9e77', '#c2418f', '#8a63d2', '#a67c00', '#17a2b8', '#7a8594'];
const DASHES = ['solid', 'dot', 'dash', 'dashdot', 'longdash'];
const dark = matchMedia('(prefers-color-scheme: dark)');
const print = matchMedia('print');
const compares = data.runs.length > 1;

// Plotly reads names as a little HTML.
const escaped = text => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
const shortened = text => text.length > 40 ? `${text.slice(0, 25)}…${text.slice(-14)}` : text;

function traceName(run, tag, figure) {
  if (!compares) return tag.name;
  return figure.tags.length > 1 ? `${tag.name}, ${shortened(run.name)}` : shortened(run.name);
}

function points(run, tag, figure) {
  if (!figure.isMetric) return {x: run.kimg, y: run.columns[tag]};
  const rows = run.metrics[tag] || [];
  return {x: rows.map(row => row[0]), y: rows.map(row => row[1]), text: rows.map(row => escaped(row[2]))};
}

function traces(figure) {
  const result = [];
  data.runs.forEach((run, runIndex) => figure.tags.forEach((tag, tagIndex) => {
    const {x, y, text} = points(run, tag.tag, figure);
    if (!y || !y.length) return;
    result.push({
      x, y, text, name: escaped(traceName(run, tag, figure)), type: 'scatter',
      mode: y.length > 1 && !figure.isMetric ? 'lines' : 'lines+markers',
      line: {color: COLOURS[(compares ? runIndex : tagIndex) % COLOURS.length], width: 2,
             dash: DASHES[(compares ? tagIndex : 0) % DASHES.length]},
      hovertemplate: '%{y}' + (text ? ' (%{text})' : '')});
  }));
  return result;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const isDark = dark.matches && !print.matches;
  return {text: isDark ? '#d7dce3' : '#2b3440', grid: isDark ? '#343c48' : '#e3e7ec',
          card: isDark ? '#1d232c' : '#ffffff', font: style.getPropertyValue('--font')};
}

function layout(figure, numTraces) {
  const {text, grid, card, font} = colours();
  const axis = {gridcolor: grid, zerolinecolor: grid, linecolor: grid};
  return {
    height: 300 + (compares ? 19 * numTraces : 0), margin: {l: 8, r: 12, t: 8, b: 8}, paper_bgcolor: card,
    plot_bgcolor: card, font: {family: font, size: 12, color: text}, hovermode: 'x unified',
    hoverlabel: {bgcolor: card, font: {color: text}},
    dragmode: matchMedia('(pointer: coarse)').matches ? false : 'zoom',  // fingers scroll the page
    xaxis: {...axis, type: 'linear', automargin: 'height', title: {text: 'kimg'}},
    yaxis: {...axis, type: 'linear', automargin: 'width', rangemode: figure.isMetric ? 'normal' : 'tozero', title: {text: escaped(figure.unit)}},
    showlegend: numTraces > 1, legend: {orientation: 'h', x: 0, yref: 'container', y: 0, yanchor: 'bottom'}};
}

function draw(figure) {
  const card = document.getElementById(figure.id), plot = card.querySelector('.plot');
  const curves = traces(figure);
  Plotly.newPlot(plot, curves, layout(figure, curves.length),
                 {responsive: true, displaylogo: false, modeBarButtonsToRemove: ['select2d', 'lasso2d']});
  const numbers = curves.flatMap(curve => curve.y).filter(y => typeof y === 'number');
  const box = card.querySelector('.log input');
  box.disabled = !numbers.some(y => y > 0) || numbers.some(y => y < 0);
  if (box.disabled) box.parentElement.title = 'Not for negative values';
  box.addEventListener('change', () =>
    Plotly.relayout(plot, {'yaxis.type': box.checked ? 'log' : 'linear', 'yaxis.autorange': true}));
  const details = card.querySelector('.numbers');
  details.addEventListener('toggle', () => {
    if (details.open && !details.querySelector('table')) details.append(table(figure, curves));
  });
}

function table(figure, curves) {
  const place = document.createElement('div'), result = document.createElement('table');
  place.className = 'wide tall';
  place.tabIndex = 0;
  const kimg = [...new Set(curves.flatMap(curve => curve.x))].sort((a, b) => a - b);
  const columns = curves.map(curve => {
    const values = new Map();
    curve.x.forEach((x, i) => values.set(x, [...(values.get(x) || []), curve.y[i]]));
    return values;
  });
  const names = data.runs.flatMap(run => figure.tags
    .filter(tag => (points(run, tag.tag, figure).y || []).length)
    .map(tag => compares ? `${tag.name}, ${run.name}` : tag.name));
  row(result.createTHead(), ['kimg', ...names], true);
  const body = result.createTBody();
  for (const x of kimg) {
    row(body, [x === null ? '' : String(x), ...columns.map(values => (values.get(x) || []).map(shown).join(', '))]);
  }
  place.append(result);
  return place;
}

const shown = value => value === null ? '–' : String(value);

function row(parent, texts, isHead = false) {
  const line = parent.insertRow();
  texts.forEach((text, index) => {
    const cell = document.createElement(isHead || index === 0 ? 'th' : 'td');
    if (cell.tagName === 'TH') cell.scope = isHead ? 'col' : 'row';
    cell.textContent = text;
    line.append(cell);
  });
}

function repaint() {
  for (const figure of data.figures) {
    const plot = document.getElementById(figure.id).querySelector('.plot');
    const {text, grid, card} = colours();
    Plotly.relayout(plot, {
      paper_bgcolor: card, plot_bgcolor: card, 'font.color': text, 'hoverlabel.bgcolor': card,
      'hoverlabel.font.color': text, 'xaxis.gridcolor': grid, 'yaxis.gridcolor': grid,
      'xaxis.zerolinecolor': grid, 'yaxis.zerolinecolor': grid});
  }
}

class Strip {
  constructor(article) {
    this.run = article.dataset.run;
    this.frames = data.runs[this.run].frames;
    this.image = article.querySelector('.fakes');
    this.caption = article.querySelector('figcaption');
    this.slider = article.querySelector('input[type=range]');
    this.button = article.querySelector('.play');
    this.thumbs = this.frames.map((frame, index) => this.thumb(frame, index));
    article.querySelector('.thumbs').append(...this.thumbs);
    this.slider.addEventListener('input', () => this.move(Number(this.slider.value)));
    this.button.addEventListener('click', () => this.timer ? this.stop() : this.play());
    this.show(this.frames.length - 1);
  }

  thumb(frame, index) {
    const button = document.createElement('button'), image = document.createElement('img');
    button.type = 'button';
    image.src = frame.source;
    image.alt = frame.label;
    image.decoding = 'async';
    button.append(image);
    button.tabIndex = -1;  // the slider does the same for the keyboard
    button.addEventListener('click', () => this.move(index));
    return button;
  }

  show(index) {
    const frame = this.frames[index];
    this.slider.value = index;
    this.slider.setAttribute('aria-valuetext', frame.label);
    this.image.src = frame.source;
    this.image.alt = frame.alt;
    this.caption.textContent = `${frame.label} (${index + 1} of ${this.frames.length})`;
    this.thumbs.forEach((button, i) => button.setAttribute('aria-current', i === index));
    const bar = this.thumbs[index].parentElement, at = this.thumbs[index].offsetLeft - bar.offsetLeft;
    bar.scrollLeft = at - bar.clientWidth / 2;
  }

  move(index) {
    this.show(index);
    const together = document.getElementById('together');
    if (together && together.checked) strips.filter(other => other !== this)
      .forEach(other => other.show(other.nearest(this.frames[index].kimg)));
  }

  nearest(kimg) {
    const distances = this.frames.map(frame => frame.kimg === kimg ? -1 : Math.abs((frame.kimg ?? 0) - (kimg ?? 0)));
    return distances.indexOf(Math.min(...distances));
  }

  play() {
    if (Number(this.slider.value) === this.frames.length - 1) this.move(0);
    this.button.setAttribute('aria-pressed', true);
    this.button.textContent = 'Stop';
    this.timer = setInterval(() => {
      const next = Number(this.slider.value) + 1;
      if (next < this.frames.length) this.move(next); else this.stop();
    }, 400);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.button.setAttribute('aria-pressed', false);
    this.button.textContent = 'Play';
  }
}

const strips = [...document.querySelectorAll('.strip')].map(article => new Strip(article));
data.figures.forEach(draw);
dark.addEventListener('change', repaint);
print.addEventListener('change', repaint);
