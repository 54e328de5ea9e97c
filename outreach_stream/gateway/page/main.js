// Where it begins: the shell, the keyboard, the stream of news, and the view that the address names.

import { enginesView } from "./engines.js";
import { startKeys } from "./keys.js";
import { announce } from "./notices.js";
import { route } from "./router.js";
import { runView } from "./run.js";
import { runsView } from "./runs.js";
import { schedulesView } from "./schedules.js";
import { identify, onReader } from "./session.js";
import { listen, live, nameOf, startFollowing } from "./store.js";
import { showNavigation, startTools } from "./tools.js";
import { triggerView } from "./trigger.js";
import { situation } from "./words.js";
import { number } from "./format.js";
import { workflowsView } from "./workflows.js";
import { token } from "./api.js";

const VIEWS = { engines: enginesView, schedules: schedulesView, workflows: workflowsView };

function choose({ path: [name = "runs", id], query }, signal) {
  const make = name === "runs" && id ? runView : name === "workflows" && id ? triggerView : (VIEWS[name] ?? runsView);
  showNavigation(VIEWS[name] ? name : "runs");
  return { name, ...make({ id, query, signal }) };
}

const LARGER = 10; // recipients: a shop's order mails would never let anybody finish a sentence

/** Screen readers hear of the turns that larger runs take, not of each mail. */
function tellTurns() {
  listen(({ run, before }) => {
    if (
      !(run?.counts.total >= LARGER) ||
      !before ||
      (before.state === run.state && before.paused === run.paused && before.engine_stopped === run.engine_stopped)
    )
      return;
    const counts = live(run) ? "" : `: ${number(run.counts.sent)} sent, ${number(run.counts.failed)} failed`;
    announce(`${nameOf(run.workflow_id)} is ${situation(run)[0].toLowerCase()}${counts}.`);
  });
}

const main = document.getElementById("main");
// Past the head, without another address: the fragment says which view is shown.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
startTools();
startKeys();
tellTurns();
const show = route(choose, main);
let following = new AbortController();
let used = token();
startFollowing(following.signal);
identify();
onReader(() => {
  if (token() === used) return;
  used = token();
  following.abort();
  following = new AbortController();
  startFollowing(following.signal);
  show();
});
