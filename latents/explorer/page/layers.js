// The table of layers: a style source and a kind of noise for each, and for whole ranges.

import { LETTERS, NOISES, entry } from './state.js';

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function noiseSelect(label, layers, kinds, onNoise) {
  const same = kinds.every((kind) => kind === kinds[0]);
  const select = element('select', { ariaLabel: label });
  if (!same) select.append(new Option('Mixed', '', true, true));
  for (const [value, text] of Object.entries(NOISES)) select.append(new Option(text, value));
  select.value = same ? kinds[0] : '';
  select.dataset.key = `noise-${layers.join('-')}`;
  select.addEventListener('change', () => select.value && onNoise(layers, select.value));
  return select;
}

// With one source there is nothing to choose from.
const choices = ({ sources }) => (sources.length > 1 ? sources : []);

function columns(numStyles, hasNoise) {
  const group = element('colgroup', {}, element('col', { className: 'names' }));
  for (let index = 0; index < numStyles; index++) group.append(element('col'));
  if (hasNoise) group.append(element('col', { className: 'noise' }));
  return group;
}

function heading(numStyles, hasNoise) {
  const row = element('tr', {}, element('th', { scope: 'col', textContent: 'Layer' }));
  for (let index = 0; index < numStyles; index++) {
    const chip = element('span', { className: `chip of-${index}`, textContent: LETTERS[index] });
    row.append(element('th', { scope: 'col' }, chip));
  }
  if (hasNoise) row.append(element('th', { scope: 'col', textContent: 'Noise' }));
  return row;
}

function rangeRow(title, layers, state, network, actions) {
  const row = element('tr', { className: 'range' }, element('th', { scope: 'row', textContent: title }));
  choices(state).forEach((_, index) => {
    const button = element('button', { type: 'button', textContent: LETTERS[index], className: `of-${index}` });
    button.ariaLabel = `${title} layers from ${LETTERS[index]}`;
    button.dataset.key = `range-${title}-${index}`;
    button.addEventListener('click', () => actions.style(layers, index));
    row.append(element('td', {}, button));
  });
  const noisy = layers.filter((layer) => layer < network.noises);
  if (network.noises) {
    const kinds = noisy.map((layer) => entry(state.noises, layer));
    const cell = element('td');
    if (noisy.length) cell.append(noiseSelect(`Noise of ${title.toLowerCase()} layers`, noisy, kinds, actions.noise));
    row.append(cell);
  }
  return row;
}

function layerRow(layer, state, network, actions) {
  const size = network.layers[layer];
  const title = size ? `${layer} · ${size}` : String(layer);
  const row = element('tr', { className: 'layer' }, element('th', { scope: 'row', textContent: title }));
  choices(state).forEach((_, index) => {
    const radio = element('input', { type: 'radio', name: `layer-${layer}`, value: index });
    radio.checked = entry(state.layers, layer) === index;
    radio.ariaLabel = `Layer ${title} from ${LETTERS[index]}`;
    radio.dataset.key = `layer-${layer}-${index}`;
    radio.addEventListener('change', () => actions.style([layer], index));
    const cell = element('td', { className: `of-${index}` }, element('label', {}, radio));
    cell.classList.toggle('chosen', radio.checked);
    row.append(cell);
  });
  if (network.noises) {
    const cell = element('td');
    if (layer < network.noises) {
      cell.append(noiseSelect(`Noise of layer ${title}`, [layer], [entry(state.noises, layer)], actions.noise));
    }
    row.append(cell);
  }
  return row;
}

// Fills the table again, and keeps the focus. actions: style(layers, source), noise(layers, kind).
export function fill(table, state, network, actions) {
  const key = document.activeElement?.closest('table') === table ? document.activeElement.dataset.key : null;
  table.querySelectorAll('colgroup, tbody').forEach((part) => part.remove());
  table.caption.after(columns(choices(state).length, network.noises > 0));
  table.tHead.replaceChildren(heading(choices(state).length, network.noises > 0));
  const all = network.layers.map((_, layer) => layer);
  table.append(element('tbody', {}, rangeRow('All', all, state, network, actions)));
  for (const [name, layers] of Object.entries(network.ranges)) {
    if (!layers.length) continue;
    const title = name[0].toUpperCase() + name.slice(1);
    table.append(element('tbody', {}, rangeRow(title, layers, state, network, actions),
      ...layers.map((layer) => layerRow(layer, state, network, actions))));
  }
  if (key) table.querySelector(`[data-key="${key}"]`)?.focus();
}

// Lists the sources. actions: seed(index, seed), row(index, row), load(index), back(index), remove(index).
export function fillSources(list, state, actions) {
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  list.replaceChildren(...state.sources.map((source, index) => sourceRow(source, index, actions)));
  if (key) list.querySelector(`[data-key="${key}"]`)?.focus();
}

function sourceRow(source, index, actions) {
  const letter = LETTERS[index];
  const what = element('div', { className: 'what' });
  if (source.file) {
    what.append(element('span', { className: 'file', textContent: source.name, title: source.name }));
    if (source.count > 1) what.append(numberField(`Row of ${source.name}`, source.row ?? 0, source.count - 1,
      `row-${index}`, (row) => actions.row(index, row), 'row-number'));
  } else {
    what.append(numberField(`Seed of ${letter}`, source.seed, 2 ** 32 - 1, `seed-${index}`,
      (seed) => actions.seed(index, seed)));
  }
  const load = source.file
    ? button('Seed', `Back to a seed for ${letter}`, `load-${index}`, () => actions.back(index))
    : button('Load…', `Load latents for ${letter}`, `load-${index}`, () => actions.load(index));
  const row = element('div', { className: `source of-${index}` },
    element('span', { className: `chip of-${index}`, textContent: letter, ariaHidden: 'true' }), what, load);
  if (index > 0) row.append(button('×', `Remove ${letter}`, `remove-${index}`, () => actions.remove(index)));
  return row;
}

function numberField(label, value, max, key, onChange, className = '') {
  const field = element('input', { type: 'number', min: 0, max, step: 1, value, className, ariaLabel: label });
  field.dataset.key = key;
  field.inputMode = 'numeric';
  field.addEventListener('change', () => onChange(Math.min(Math.max(Math.round(field.value) || 0, 0), max)));
  return field;
}

function button(text, label, key, onClick) {
  const made = element('button', { type: 'button', textContent: text, ariaLabel: label });
  made.dataset.key = key;
  made.addEventListener('click', onClick);
  return made;
}
