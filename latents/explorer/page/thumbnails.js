// The grid of seeds. Pictures come one after the other, so that the large one never waits for many.

import * as server from './server.js';
import { LAST_SEED } from './state.js';

const PER_PAGE = 12;
const SETTLE_MS = 400;

export class Thumbnails {
  constructor(grid, onPick) {
    this.grid = grid;
    this.onPick = onPick;
    this.first = 0;
    this.key = null;
    this.buttons = [];
  }

  turn(pages) {
    this.go(this.first + pages * PER_PAGE);
  }

  go(seed) {
    this.first = Math.min(Math.max(seed - (seed % PER_PAGE), 0), LAST_SEED - (LAST_SEED % PER_PAGE));
    this.key = null;
    this.update(this.network, this.index, this.state);
  }

  // Draws the page again if the state differs in more than its seed.
  update(network, index, state) {
    if (index !== this.index) this.shownFirst = null; // Pictures of another network go at once.
    Object.assign(this, { network, index, state });
    const [base, ...others] = state.sources;
    const plain = { ...state, sources: [{ seed: 0 }, ...others], walk: null, networks: index };
    const key = JSON.stringify([plain, this.first]);
    this.mark(base.file || state.walk ? null : base.seed);
    if (key === this.key) return;
    this.key = key;
    if (this.shownFirst !== this.first) this.layOut();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.draw(key, plain), SETTLE_MS);
  }

  layOut() {
    this.shownFirst = this.first;
    const seeds = Array.from({ length: PER_PAGE }, (_, place) => this.first + place)
      .filter((seed) => seed <= LAST_SEED);
    this.buttons = seeds.map((seed) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.ariaLabel = `Seed ${seed}`;
      button.dataset.seed = seed;
      button.append(new Image(), String(seed));
      button.firstChild.alt = '';
      button.addEventListener('click', () => this.onPick(seed));
      return button;
    });
    this.grid.replaceChildren(...this.buttons);
    this.mark(this.marked);
  }

  mark(seed) {
    this.marked = seed;
    for (const button of this.buttons) button.ariaPressed = String(Number(button.dataset.seed) === seed);
  }

  async draw(key, plain) {
    for (const button of this.buttons) {
      const seed = Number(button.dataset.seed);
      const state = { ...plain, sources: [{ seed }, ...plain.sources.slice(1)] };
      try {
        const blob = await server.draw(this.index, state, 'thumbnail', 'thumbnail');
        if (this.key !== key) return;
        const image = button.firstChild;
        URL.revokeObjectURL(image.src);
        image.src = URL.createObjectURL(blob);
      } catch { // The large picture has told why.
        return;
      }
    }
  }
}
