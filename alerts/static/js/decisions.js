// One change after the other: what a person does is put in line and sent in order, so that no key is lost and none lands
// on another alert. Handed: jobs bound to the alert that was shown. Hands on: the server's answers, also to undo them.
import { postJson } from "./dom.js";
import { failed, lost } from "./frame.js";

const REMEMBERED = 10;
const line = [];
let busy = false;
// Alert -> the revisions from..to that are this page's own doing: a key after one's own change is not a lost race.
const own = new Map();

export function expected(id, seen) {
  const mine = own.get(id);
  return mine && seen >= mine.from && seen < mine.to ? mine.to : seen;
}
export function changed(id, before, after) {
  const mine = own.get(id);
  if (mine && mine.to === before) mine.to = after;
  else own.set(id, { from: before, to: after });
}

// A job: `address`, `data()` when its turn comes, `done(answer)`, `refused(answer, status)`.
export function send(job) {
  return new Promise((resolve) => {
    line.push({ job, resolve });
    say();
    next();
  });
}
export const waiting = () => line.length + (busy ? 1 : 0);

// Go elsewhere once everything that was asked for is answered.
let afterwards = null;
export function leaveFor(address) {
  afterwards = () => location.assign(address);
  if (!waiting()) afterwards();
}

// While something is on its way the page says so: to those who look, and to those who close the window.
const say = () => document.documentElement.toggleAttribute("data-saving", waiting() > 0);

async function next() {
  if (busy || !line.length) return;
  busy = true;
  const { job, resolve } = line.shift();
  try {
    resolve(await perform(job));
  } finally {
    busy = false;
    say();
    if (waiting()) next();
    else afterwards?.();
  }
}
async function perform(job) {
  const data = job.data();
  if (!data) { job.refused?.({}, 0); return null; }
  let response;
  try {
    response = await postJson(job.address, data);
  } catch {
    job.refused?.({}, 0);
    lost({ again: true });
    return null;
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) {
    job.done?.(answer, data);
    return answer;
  }
  job.refused?.(answer, response.status);
  if (!(job.explains?.includes(response.status))) failed(response.status);
  return null;
}

// What this page did, newest last, so that it can be taken back by its number and be seen to come back at once.
const done = [];
export function remember(entry) {
  done.push(entry);
  if (done.length > REMEMBERED) done.shift();
}
export const takeLast = () => done.pop() ?? null;
export function takeNumbered(number) {
  const entry = done.find((one) => one.action === number) ?? null;
  if (entry) dropFromMemory(entry);
  return entry;
}
export function dropFromMemory(entry) {
  const at = done.indexOf(entry);
  if (at >= 0) done.splice(at, 1);
}
addEventListener("beforeunload", (event) => { if (waiting()) event.preventDefault(); });
