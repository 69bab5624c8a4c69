// Talks to the server. Errors carry one line for the page.

export const client = Math.random().toString(36).slice(2);

export class Superseded extends Error {}

async function send(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') throw new Superseded();
    throw new Error('The explorer does not answer. Is explorer.py still running?');
  }
  if (answer.ok) return answer;
  if (answer.status === 409) throw new Superseded();
  const text = await answer.text();
  let line = text;
  try {
    line = JSON.parse(text).error;
  } catch { /* 403 comes as plain text */ }
  throw new Error(line);
}

const post = (path, body, signal) => send(path, { method: 'POST', body, signal });

let networks;

export async function about() {
  ({ networks } = await (await send('/about')).json());
  return networks;
}

// The body of a request. A class is only for networks that have classes: the other one may have none.
function wish(network, state, more = {}) {
  const known = networks[network].classes ? state : { ...state, class: null };
  return JSON.stringify({ network, state: known, ...more });
}

export async function draw(network, state, panel, quality, signal) {
  const answer = await post('/draw', wish(network, state, { client, panel, quality }), signal);
  return answer.blob();
}

export const recipe = async (network, state) => (await post('/recipe', wish(network, state))).json();

export async function file(path, network, state) {
  return (await post(path, wish(network, state))).blob();
}

export async function load(chosen) {
  return (await post(`/files?name=${encodeURIComponent(chosen.name)}`, chosen)).json();
}

export const startVideo = async (network, state) => (await post('/videos', wish(network, state))).json();
export const cancelAddress = (number) => `/videos/${number}/cancel`;
export const cancelVideo = (number) => post(cancelAddress(number));

export const videoProgress = async (number) => (await send(`/videos/${number}`)).json();

export function download(url, name) {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}

export function downloadBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  download(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
