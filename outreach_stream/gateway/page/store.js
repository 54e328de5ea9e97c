// What the page knows: the last word on each run, how fast it goes, and the names of the workflows.

import { getIfThere } from "./api.js";
import { follow } from "./stream.js";

const WINDOW = 6_000; // milliseconds over which a rate is measured
const MOST = 2_000; // runs that are remembered

export const runs = new Map();
export const LIVE = new Set(["QUEUED", "INITIALIZING", "SENDING"]);
export const live = (run) => LIVE.has(run.state);
export const ended = ({ counts }) => counts.sent + counts.failed + counts.expired + counts.in_doubt + counts.cancelled;
export const began = (run) => Object.values(run.states ?? {}).sort()[0] ?? run.updated_at;

const paces = new Map();
const names = new Map();
const listeners = new Set();
let line = "connecting";

/** Be told `{run, before}` of each change, or `{line}`; returns what ends it. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell = (news) => {
  for (const listener of [...listeners]) listener(news);
};

/** Take in the word of the gateway on a run; of two, the later one holds. */
export function take(status) {
  const before = runs.get(status.run_id);
  if (before && Date.parse(before.updated_at) > Date.parse(status.updated_at)) return before;
  if (before && before.updated_at === status.updated_at && JSON.stringify(before) === JSON.stringify(status))
    return before;
  runs.set(status.run_id, status);
  if (runs.size > MOST) forget();
  measure(status);
  tell({ run: status, before });
  return status;
}

/** A page that is left open for weeks is not to grow with every mail of a shop. */
function forget() {
  const oldest = [...runs.values()].find((run) => !live(run));
  if (oldest) runs.delete(oldest.run_id);
}

function measure(status) {
  if (status.state !== "SENDING") return void paces.delete(status.run_id);
  const seen = paces.get(status.run_id) ?? [];
  seen.push([performance.now(), ended(status)]);
  if (seen.length > 200) seen.splice(0, 100); // nobody may have asked for a pace since yesterday
  paces.set(status.run_id, seen);
}

/** Mails a second over the last seconds; null: not known yet. */
export function pace(run) {
  const seen = paces.get(run.run_id);
  if (!seen) return null;
  const now = performance.now();
  while (seen.length > 1 && now - seen[1][0] > WINDOW) seen.shift();
  const [since, count] = seen[0];
  return now - since < 800 ? null : Math.max(0, (seen.at(-1)[1] - count) / ((now - since) / 1000));
}

/** Seconds that are left at this pace; null: nobody can say. */
export function left(run) {
  const speed = pace(run);
  const open = run.counts.total - ended(run);
  return speed && open && !run.paused && !run.cancelling && !run.engine_stopped ? open / speed : null;
}

export const nameOf = (workflow) => names.get(String(workflow)) ?? `Workflow ${workflow}`;
export const nameWorkflows = (workflows) => {
  for (const each of workflows) if (each.name) names.set(String(each.id), each.name);
};

export const lineState = () => line;

/** Begin to follow everything; `signal` ends it. Begins anew when the token changes, which is the caller's business. */
export function startFollowing(signal) {
  getIfThere("workflows")
    .then((found) => {
      nameWorkflows(found?.workflows ?? []);
      tell({ names: true });
    })
    .catch(() => {
      /* their numbers serve as well */
    });
  follow(
    {
      status: take,
      line: (state) => {
        if (line === state) return;
        line = state;
        tell({ line });
      },
    },
    signal,
  );
}
