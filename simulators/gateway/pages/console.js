// Keeps the page fresh: fetches it again and replaces the marked parts that have changed. The page works without it.
"use strict";

const PERIOD_MS = 1000;
const pause = document.getElementById("pause");
const freshness = document.getElementById("freshness");
let isPaused = false;

function replaceChanged(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(old.id);
    if (!now || now.innerHTML === old.innerHTML) continue;
    // What has the focus keeps it, if it is still there.
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    old.replaceChildren(...document.adoptNode(now).childNodes);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

async function refresh() {
  if (isPaused || document.hidden) return;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(String(answer.status));
    replaceChanged(new DOMParser().parseFromString(await answer.text(), "text/html"));
    freshness.textContent = `Updated ${new Date().toISOString().slice(11, 19)} UTC`;
  } catch {
    freshness.textContent = "The simulator does not answer; trying again.";
  }
}

async function run() {
  await refresh();
  setTimeout(run, PERIOD_MS);
}

pause.hidden = false;
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", String(isPaused));
  freshness.textContent = isPaused ? "Updates are paused." : "";
});
run();
