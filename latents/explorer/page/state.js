// The state of the page: what is drawn, and with which networks. It lives in the address.

export const LETTERS = ['A', 'B', 'C', 'D'];
export const NOISES = { seed: 'Seed', stored: 'Stored', drawn: 'Drawn', off: 'Off' };
export const FPS = 30;
export const LAST_SEED = 2 ** 32 - 1;

const DEFAULTS = {
  networks: [0, null],
  sources: [{ seed: 0 }],
  layers: [0],
  psi: 0.7,
  cutoff: null,
  class: null,
  noises: ['seed'],
  noiseSeed: 0,
  redraws: false,
  walk: null,
};

export const fresh = () => structuredClone(DEFAULTS);

export function fromAddress(numNetworks) {
  let state = fresh();
  try {
    Object.assign(state, JSON.parse(decodeURIComponent(location.hash.slice(1))));
  } catch { /* no state in the address */ }
  const isList = (list) => Array.isArray(list) && list.length > 0 && !list.includes(null);
  const isState = [state.sources, state.layers, state.noises].every(isList) && Number.isFinite(state.psi);
  if (!isState) state = fresh();
  const exists = (network) => Number.isInteger(network) && network >= 0 && network < numNetworks;
  const [left, right] = Array.isArray(state.networks) ? state.networks : [];
  state.networks = [exists(left) ? left : 0, exists(right) ? right : null];
  return state;
}

export function toAddress(state, keeps) {
  const changed = Object.fromEntries(Object.entries(state)
    .filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(DEFAULTS[key])));
  const address = `${location.pathname}#${encodeURIComponent(JSON.stringify(changed))}`;
  if (address === `${location.pathname}${location.hash}`) return;
  history[keeps ? 'pushState' : 'replaceState'](null, '', address);
}

// Entry of a list whose last entry stands for all that follow.
export const entry = (list, index) => list[Math.min(index, list.length - 1)];

// A copy of such a list with `length` entries and new values at some of them.
export function withEntries(list, length, indices, value) {
  const all = Array.from({ length: Math.max(length, list.length) }, (_, index) => entry(list, index));
  for (const index of indices) all[index] = value;
  return all;
}

export const clampSeed = (seed) => Math.min(Math.max(Math.round(seed) || 0, 0), LAST_SEED);

export function describe(state, network) {
  const [base] = state.sources;
  const parts = [base.file ? `latents ${base.name}` : `seed ${base.seed}`];
  if (state.walk) parts.push(`frame ${state.walk.frame + 1} of ${state.walk.frames}`);
  if (network.layers.length) {
    parts.push(`psi ${Number(state.psi.toFixed(2))}`);
    const used = new Set(network.layers.map((_, layer) => entry(state.layers, layer)));
    for (const index of [...used].filter((each) => each > 0).sort()) {
      const source = state.sources[index];
      const layers = network.layers.map((_, layer) => layer)
        .filter((layer) => entry(state.layers, layer) === index);
      parts.push(`layer${layers.length > 1 ? 's' : ''} ${ranges(layers)} from ${source.file ? source.name : `seed ${source.seed}`}`);
    }
  }
  if (network.classes && state.class !== null) parts.push(`class ${className(network, state.class)}`);
  return parts.join(', ');
}

export const className = (network, number) => network.classNames?.[number] ?? number;

export function ranges(numbers) {
  const parts = [];
  for (const number of numbers) {
    const last = parts.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else parts.push([number, number]);
  }
  return parts.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}
