// Saves the walk as a video: starts it on the server, shows its progress, downloads it.

import * as server from './server.js';

const POLL_MS = 400;
const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Video {
  constructor(find, report) {
    [this.save, this.cancel, this.box, this.bar, this.text] =
      ['save-video', 'cancel-video', 'video-state', 'video-progress', 'video-text'].map(find);
    this.report = report;
    this.cancel.addEventListener('click', () => this.number && server.cancelVideo(this.number));
  }

  async start(index, state) {
    this.save.disabled = true;
    try {
      this.number = (await server.startVideo(index, state)).video;
      this.cancel.hidden = this.box.hidden = this.bar.hidden = false;
      await this.follow();
    } catch (error) {
      this.text.textContent = 'Nothing was saved.';
      this.report(error.message);
    }
    this.save.disabled = false;
    this.cancel.hidden = this.bar.hidden = true;
  }

  // Cancels the video of a page that is closed: nobody could get it any more.
  abandon() {
    if (this.save.disabled && this.number) navigator.sendBeacon(server.cancelAddress(this.number));
  }

  async follow() {
    for (;;) {
      const { done, total, error, isComplete, isCancelled, name } = await server.videoProgress(this.number);
      this.bar.max = total;
      this.bar.value = done;
      this.text.textContent = `Frame ${done} of ${total}`;
      if (error) throw new Error(error);
      if (isComplete) {
        server.download(`/videos/${this.number}/file`, name);
        this.text.textContent = `${name} is saved.`;
        return;
      }
      if (isCancelled) {
        this.text.textContent = 'Cancelled. Nothing was saved.';
        return;
      }
      await wait(POLL_MS);
    }
  }
}
