"use strict";

// Keeps the list fresh without reloading the page. Works on the same HTML that the server renders at first.
const REFRESH_MILLISECONDS = 2000;

const list = document.getElementById("messages");
const search = document.getElementById("search");
let shown = null;

async function refresh() {
  const wanted = search.value;
  try {
    const answer = await fetch("/messages?" + new URLSearchParams({ search: wanted }));
    const html = await answer.text();
    // Answers can overtake each other while someone types: only the present search counts.
    if (!answer.ok || wanted !== search.value) return;
    // An unchanged list stays as it is: a selection or the keyboard's focus in it is not lost.
    if (html !== shown) {
      shown = html;
      list.innerHTML = html;
    }
    list.classList.remove("stale");
  } catch {
    list.classList.add("stale");
  }
}

search.addEventListener("input", refresh);
search.form.addEventListener("submit", (event) => {
  event.preventDefault();
  refresh();
});
setInterval(refresh, REFRESH_MILLISECONDS);
