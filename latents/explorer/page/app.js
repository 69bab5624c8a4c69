// The page: controls change the state, the state is drawn and kept in the address.

import { fill, fillSources } from './layers.js';
import { Panel } from './panel.js';
import * as server from './server.js';
import { FPS, clampSeed, entry, fresh, fromAddress, toAddress, withEntries, className } from './state.js';
import { Thumbnails } from './thumbnails.js';
import { Video } from './video.js';

const RECIPE_MS = 250;
const find = (id) => document.getElementById(id);

let networks;
let state;
let panels = [];
let thumbnails;
let video;
let playing = null; // what the present run of `play` is known by
let loadsInto = 0;

const shown = () => state.networks.filter((index) => index !== null);
const left = () => networks[state.networks[0]];
// The network with most layers, which the table of layers shows.
const tallest = () => shown().map((index) => networks[index])
  .reduce((a, b) => (b.layers.length > a.layers.length ? b : a));

// Changes the state. keeps: as a step that the browser's Back undoes.
function change(patch, { keeps = true, isMoving = false } = {}) {
  Object.assign(state, patch);
  if (!isMoving) {
    toAddress(state, keeps);
    fillControls();
  }
  draw(isMoving);
}

function draw(isMoving = false) {
  if (state.redraws && state.noises.includes('drawn')) {
    state.noiseSeed = Math.floor(Math.random() * 1e9);
    find('noise-seed').value = state.noiseSeed;
  }
  const drawn = panels.map((panel, place) => {
    const index = shown()[place];
    return panel.request(networks[index], index, state, isMoving);
  });
  if (!isMoving) {
    thumbnails.update(left(), state.networks[0], structuredClone(state));
    scheduleRecipe();
  }
  return Promise.all(drawn);
}

function report(panel, { text, error, isFull, isBusy }) {
  if (isBusy) {
    if (!playing) find('status').textContent = 'Drawing…';
    return;
  }
  panel.error = error;
  fail([...new Set(panels.map((each) => each.error).filter(Boolean))].join(' '));
  if (error) {
    pause();
    find('status').textContent = 'Not drawn.';
  }
  if (!text) return;
  const name = panels.length > 1 ? `${panel.caption.textContent}: ` : '';
  // A screen reader should hear what stays, not every step on the way.
  if (!playing && (isFull || !find('status').textContent)) find('status').textContent = name + text;
}

// Shows an error; '' hides it.
function fail(message) {
  find('error').hidden = !message;
  find('error').textContent = message;
}

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof server.Superseded)) fail(error.message);
  }
}

// Panels

function layOutPanels() {
  const wanted = shown();
  find('panels').classList.toggle('two', wanted.length > 1);
  while (panels.length > wanted.length) panels.pop().figure.remove();
  while (panels.length < wanted.length) {
    const figure = find('panel-template').content.firstElementChild.cloneNode(true);
    find('panels').append(figure);
    const panel = new Panel(['left', 'right'][panels.length], figure, report);
    figure.querySelector('.save-picture').addEventListener('click', () => attempt(() => savePicture(panel)));
    panels.push(panel);
  }
  wanted.forEach((index, place) => {
    const network = networks[index];
    panels[place].caption.textContent = shortName(network);
    panels[place].caption.title = network.file;
    panels[place].image.style.setProperty('--ratio', `${network.width} / ${network.height}`);
    panels[place].figure.querySelector('.save-picture').ariaLabel =
      wanted.length > 1 ? `Save PNG of the ${['left', 'right'][place]} picture` : 'Save PNG';
  });
}

// The end of a path that tells a network from the others.
function shortName(network) {
  const end = (file, count) => file.split(/[\\/]/).slice(-count).join('/');
  const same = networks.filter(({ file }) => end(file, 1) === end(network.file, 1));
  return end(network.file, same.length > 1 ? 2 : 1);
}

async function savePicture(panel) {
  const index = shown()[panels.indexOf(panel)];
  const name = `${pictureName()}.png`;
  const isShown = panel.shown?.isFull && !panel.running;
  const blob = isShown ? panel.shown.blob : await server.draw(index, state, `save-${panel.name}`, 'full');
  server.downloadBlob(blob, name);
}

function pictureName() {
  const [base] = state.sources;
  const frame = state.walk ? `-frame${String(state.walk.frame).padStart(4, '0')}` : '';
  const start = base.file ? base.name.replace(/\.(npz|npy|pt)$/, '') : `seed${String(base.seed).padStart(4, '0')}`;
  return `${start}${frame}${tallest().layers.length ? `-psi${Number(state.psi.toFixed(2))}` : ''}`;
}

// Controls

function fillControls() {
  layOutPanels();
  const network = tallest();
  const hasStyles = network.layers.length > 0;
  const [base] = state.sources;
  fillNetworks();
  find('seed').value = base.file ? '' : base.seed;
  for (const id of ['seed', 'seed-previous', 'seed-next']) find(id).disabled = Boolean(base.file);
  note('seed-note', base.file ? `A is ${base.name}, which psi does not move, with stored noise for that of a seed. `
      + 'Pick a seed to leave it.'
    : hasStyles ? '' : 'This network has no styles, no truncation and no noise: there is only the seed.');
  fillClasses();
  find('truncation-card').hidden = find('layers-card').hidden = !hasStyles;
  find('save-w').hidden = !left().layers.length;
  find('save-noise').hidden = !left().noises;
  if (hasStyles) fillStyles(network);
  fillWalk();
}

function note(id, text) {
  find(id).hidden = !text;
  find(id).textContent = text;
}

function fillNetworks() {
  find('networks-card').hidden = networks.length < 2;
  find('network-left').value = state.networks[0];
  find('network-right').value = state.networks[1] ?? '';
  const network = left();
  document.title = `${shortName(network)} · Latent explorer`;
  const kind = network.channels === 1 ? 'grey' : 'RGB';
  find('summary').textContent = `${shortName(network)} · ${network.width} × ${network.height} ${kind}`;
}

function fillClasses() {
  const labelled = shown().map((index) => networks[index]).find((network) => network.classes);
  find('class-field').hidden = !labelled;
  if (!labelled) return;
  if (find('class').dataset.file !== labelled.file) {
    find('class').dataset.file = labelled.file;
    find('class').replaceChildren(new Option('None (zeros, not seen in training)', ''),
      ...Array.from({ length: labelled.classes }, (_, number) => new Option(className(labelled, number), number)));
  }
  find('class').value = state.class ?? '';
}

function fillStyles(network) {
  find('psi').value = find('psi-number').value = Number(state.psi.toFixed(3));
  const cutoff = state.cutoff ?? network.cutoff;
  find('cutoff').max = network.layers.length;
  find('cutoff').value = cutoff;
  find('cutoff-text').textContent = cutoffText(cutoff, network);
  const isMixed = state.sources.length > 1;
  find('sources').hidden = !isMixed && !state.sources[0].file;
  find('load').hidden = !find('sources').hidden;
  find('unmix').hidden = !isMixed;
  find('add-source').hidden = state.sources.length > 3;
  find('layers').hidden = !isMixed && !network.noises;
  find('noise-note').hidden = !network.noises;
  fillSources(find('sources'), state, sourceActions);
  fill(find('layers'), state, network, layerActions);
  const kinds = network.layers.map((_, layer) => entry(state.noises, layer)).slice(0, network.noises);
  find('drawn-noise').hidden = !kinds.includes('drawn');
  find('noise-seed').value = state.noiseSeed;
  find('redraw-always').checked = state.redraws;
}

function cutoffText(cutoff, network) {
  if (cutoff >= network.layers.length) return 'all layers';
  return cutoff === 0 ? 'no layer' : `layers 0–${cutoff - 1}`;
}

function fillWalk() {
  const { walk } = state;
  find('walk-path').value = walk?.path ?? '';
  find('walk-path').disabled = Boolean(state.sources[0].file);
  find('walk-controls').hidden = !walk;
  if (!walk) return;
  find('frame').max = walk.frames - 1;
  find('walk-seconds').value = walk.frames / FPS;
  find('stops-field').hidden = walk.path !== 'seeds';
  find('walk-stops').value = walk.stops;
  showFrame();
}

function showFrame() {
  const { frame, frames } = state.walk;
  find('frame').value = frame;
  const text = `${(frame / FPS).toFixed(1)} / ${Math.round(frames / FPS)} s`;
  find('frame-text').textContent = text;
  find('frame').setAttribute('aria-valuetext', text);
}

// Seeds, sources, layers

function setBase(source) {
  change({ sources: [source, ...state.sources.slice(1)], walk: source.file ? null : state.walk });
}

const setSeed = (seed) => setBase({ seed: clampSeed(seed) });
const stepSeed = (step) => setSeed((state.sources[0].seed ?? 0) + step);
const randomSeed = () => setSeed(Math.floor(Math.random() * 1e6));

function replaceSource(index, source) {
  if (index === 0) setBase(source);
  else change({ sources: state.sources.map((old, place) => (place === index ? source : old)) });
}

const sourceActions = {
  seed: (index, seed) => replaceSource(index, { seed: clampSeed(seed) }),
  row: (index, row) => replaceSource(index, { ...state.sources[index], row }),
  load: (index) => {
    loadsInto = index;
    find('file').value = '';
    find('file').click();
  },
  back: (index) => replaceSource(index, { seed: index }),
  remove: (index) => {
    const layers = state.layers.map((source) => (source === index ? 0 : source - (source > index)));
    change({ sources: state.sources.filter((_, place) => place !== index), layers });
    find('add-source').focus();
  },
};

const layerActions = {
  style: (layers, source) => change({ layers: withEntries(state.layers, tallest().layers.length, layers, source) }),
  noise: (layers, kind) => change({ noises: withEntries(state.noises, tallest().layers.length, layers, kind) }),
};

function addSource() {
  const index = state.sources.length;
  const seed = clampSeed((state.sources.at(-1).seed ?? 0) + 1);
  const network = tallest();
  // A new source shows at once: B has the coarse layers, C the middle ones, D the fine ones.
  const ranges = Object.values(network.ranges);
  const range = ranges[index - 1].length ? ranges[index - 1] : ranges.at(-1);
  change({ sources: [...state.sources, { seed }],
    layers: withEntries(state.layers, network.layers.length, range, index) });
}

async function loadFile() {
  const [chosen] = find('file').files;
  if (!chosen) return;
  const { file, count } = await server.load(chosen);
  replaceSource(loadsInto, { file, row: 0, count, name: chosen.name });
}

// The walk

function setWalk(path) {
  pause();
  const { frames = 8 * FPS, stops = 8 } = state.walk ?? {};
  change({ walk: path ? { path, frames, stops, frame: 0 } : null });
}

function pause() {
  playing = null;
  find('play').textContent = 'Play';
}

async function play() {
  if (!state.walk) return;
  if (playing) {
    pause();
    return;
  }
  const began = performance.now();
  const first = state.walk.frame;
  const mine = {};
  playing = mine;
  find('play').textContent = 'Pause';
  find('status').textContent = 'Playing.';
  while (playing === mine && state.walk) {
    state.walk.frame = (first + Math.round((performance.now() - began) * FPS / 1000)) % state.walk.frames;
    showFrame();
    const tick = new Promise((resolve) => { setTimeout(resolve, 1000 / FPS); });
    await Promise.all([draw(true), tick]);
  }
  if (playing === mine) pause(); // The walk has ended.
  if (state.walk && !playing) change({}, { keeps: false });
}

function resizeWalk() {
  const frames = Math.round(Math.min(Math.max(Number(find('walk-seconds').value) || 1, 1), 120) * FPS);
  const stops = Math.min(Math.max(Math.round(find('walk-stops').value) || 2, 2), 100);
  change({ walk: { ...state.walk, frames, stops, frame: Math.min(state.walk.frame, frames - 1) } });
}

// The same picture again

let recipeTimer;
function scheduleRecipe() {
  clearTimeout(recipeTimer);
  const mine = recipeTimer = setTimeout(async () => {
    try {
      const { command, note: text } = await server.recipe(state.networks[0], state);
      if (mine !== recipeTimer) return;
      find('command').hidden = find('copy-command').hidden = !command;
      showCommand(command ?? '');
      find('command-note').textContent = shown().length > 1 ? `The left picture. ${text}` : text;
    } catch { /* the picture tells why */ }
  }, RECIPE_MS);
}

// Lines break between arguments, and inside only those that are longer than a line.
function showCommand(command) {
  find('command').dataset.text = command;
  const parts = command.split(/(?= --)| (?=generate|style)/).map((part) => {
    const span = document.createElement('span');
    span.textContent = part.trim();
    return span;
  });
  find('command').replaceChildren(...parts.flatMap((part, place) => (place ? [' ', part] : [part])));
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText(find('command').dataset.text);
    find('status').textContent = 'The command is copied.';
  } catch {
    getSelection().selectAllChildren(find('command'));
    find('status').textContent = 'The command is selected: copy it with Ctrl+C.';
  }
}

const save = (name) => attempt(async () => {
  server.downloadBlob(await server.file(`/${name}`, state.networks[0], state), name);
});

// Events

function onSlide(id, patch) {
  find(id).addEventListener('input', () => change(patch(), { isMoving: true }));
  find(id).addEventListener('change', () => change(patch()));
}

function addEvents() {
  const onClick = (id, action) => find(id).addEventListener('click', () => action());
  const onChange = (id, action) => find(id).addEventListener('change', () => action(find(id).value));
  find('controls').addEventListener('submit', (event) => event.preventDefault());
  onChange('network-left', (value) => change({ networks: [Number(value), state.networks[1]] }));
  onChange('network-right', (value) => change({ networks: [state.networks[0], value === '' ? null : Number(value)] }));
  onChange('seed', setSeed);
  onClick('seed-previous', () => stepSeed(-1));
  onClick('seed-next', () => stepSeed(1));
  onClick('seed-random', randomSeed);
  onChange('class', (value) => change({ class: value === '' ? null : Number(value) }));
  onSlide('psi', () => {
    find('psi-number').value = find('psi').value;
    return { psi: Number(find('psi').value) };
  });
  onChange('psi-number', (value) => change({ psi: Math.min(Math.max(Number(value) || 0, -10), 10) }));
  onSlide('cutoff', () => {
    const cutoff = Number(find('cutoff').value);
    find('cutoff-text').textContent = cutoffText(cutoff, tallest());
    return { cutoff: cutoff === tallest().cutoff ? null : cutoff };
  });
  onChange('walk-path', setWalk);
  onSlide('frame', () => {
    pause();
    state.walk.frame = Number(find('frame').value);
    showFrame();
    return {};
  });
  onChange('walk-seconds', resizeWalk);
  onChange('walk-stops', resizeWalk);
  onClick('play', play);
  onClick('save-video', () => video.start(state.networks[0], state));
  onClick('add-source', addSource);
  onClick('load', () => sourceActions.load(0));
  onClick('unmix', () => change({ sources: state.sources.slice(0, 1), layers: [0] }));
  onChange('file', () => attempt(loadFile));
  onChange('noise-seed', (value) => change({ noiseSeed: clampSeed(value) }));
  onClick('redraw', () => change({ noiseSeed: Math.floor(Math.random() * 1e9) }));
  find('redraw-always').addEventListener('change', () => change({ redraws: find('redraw-always').checked }));
  onClick('copy-command', copyCommand);
  onClick('save-w', () => save('projected_w.npz'));
  onClick('save-noise', () => save('projected_noises.npz'));
  onClick('seeds-back', () => thumbnails.turn(-1));
  onClick('seeds-on', () => thumbnails.turn(1));
  onClick('seeds-here', () => thumbnails.go(state.sources[0].seed ?? 0));
  addEventListener('popstate', () => {
    state = fromAddress(networks.length);
    fillControls();
    draw();
  });
  addEventListener('pagehide', () => video.abandon());
  addEventListener('keydown', onKey);
}

const KEYS = {
  ArrowLeft: () => stepSeed(-1),
  ArrowRight: () => stepSeed(1),
  r: randomSeed,
  '[': () => change({ psi: Math.max(Number((state.psi - 0.05).toFixed(3)), -10) }),
  ']': () => change({ psi: Math.min(Number((state.psi + 0.05).toFixed(3)), 10) }),
  p: play,
  s: () => attempt(() => savePicture(panels[0])),
  c: copyCommand,
};

function onKey(event) {
  const isTyping = event.target.closest('input:not([type="checkbox"]), select, textarea');
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !find('shortcuts').checked) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function listNetworks() {
  const options = () => networks.map((network, index) => new Option(shortName(network), index));
  find('network-left').replaceChildren(...options());
  find('network-right').replaceChildren(new Option('None', ''), ...options());
}

async function start() {
  history.replaceState(null, '', `/${location.hash}`); // without the token
  networks = await server.about();
  state = location.hash ? fromAddress(networks.length) : fresh();
  if (!location.hash) {
    if (networks[0].classes) state.class = 0;
    if (networks.length > 1) state.networks = [0, 1];
  }
  thumbnails = new Thumbnails(find('thumbnails'), setSeed);
  video = new Video(find, fail);
  listNetworks();
  addEvents();
  fillControls();
  thumbnails.first = (state.sources[0].seed ?? 0) - ((state.sources[0].seed ?? 0) % 12);
  await draw();
}

attempt(start);
