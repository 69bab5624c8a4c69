// A picture: the newest state wins, a quick preview comes first where the network has one.

import * as server from './server.js';
import { describe } from './state.js';

const SETTLE_MS = 120;
const SILENCE_MS = 600; // Longer work is announced.
const SMALL = 256; // Pixels of small pictures are shown as they are.
const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Panel {
  constructor(name, figure, report) {
    this.name = name;
    this.figure = figure;
    this.image = figure.querySelector('img');
    this.caption = figure.querySelector('.name');
    this.report = report; // report(panel, {text, isFull}, {error} or {isBusy})
    this.wanted = null;
    this.full = null;
    this.shown = null; // {state, network, isFull} of the picture that is shown
  }

  // Draws a state unless a newer one arrives. `isMoving`: the next one follows at once. Resolves when idle.
  request(network, index, state, isMoving = false) {
    this.wanted = { network, index, state: structuredClone(state), isMoving };
    if (network.preview) this.full?.abort();
    this.figure.classList.toggle('outdated', this.shown?.index !== index);
    this.running ??= this.run().finally(() => { this.running = null; });
    return this.running;
  }

  async run() {
    while (this.wanted) {
      const wish = this.wanted;
      this.wanted = null;
      const timer = setTimeout(() => this.report(this, { isBusy: true }), SILENCE_MS);
      try {
        await this.draw(wish);
      } catch (error) {
        if (!(error instanceof server.Superseded)) this.fail(error);
      }
      clearTimeout(timer);
    }
  }

  // The old picture stays, and fades: it is not the one that was asked for.
  fail(error) {
    this.shown = null;
    this.figure.classList.add('outdated');
    this.image.alt = 'Not drawn';
    this.report(this, { error: error.message });
  }

  async draw(wish) {
    if (wish.network.preview) {
      await this.show(wish, 'quick');
      if (wish.isMoving) return;
      await wait(SETTLE_MS);
      if (this.wanted) return;
    }
    await this.show(wish, 'full');
  }

  async show({ network, index, state }, quality) {
    const isFull = quality === 'full';
    const began = performance.now();
    this.full = isFull ? new AbortController() : null;
    const blob = await server.draw(index, state, this.name, quality, this.full?.signal);
    const old = this.image.src;
    this.image.src = URL.createObjectURL(blob);
    await this.image.decode();
    if (old.startsWith('blob:')) URL.revokeObjectURL(old);
    const text = describe(state, network);
    this.image.alt = `Generated picture: ${text}`;
    this.image.classList.toggle('small', isFull && Math.max(network.width, network.height) <= SMALL);
    this.figure.dataset.quality = quality;
    this.figure.classList.toggle('outdated', this.wanted !== null && this.wanted.index !== index);
    this.shown = { state, network, index, isFull, blob };
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const size = `${this.image.naturalWidth} × ${this.image.naturalHeight}`;
    this.report(this, { text: `${text}: ${isFull ? 'drawn' : 'preview'} at ${size} in ${seconds} s`, isFull });
  }
}
