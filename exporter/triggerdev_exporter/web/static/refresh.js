// Fetches the page that is shown again, and puts its main part in place of the old one. Nothing else happens here:
// without it a page is what it was when it was loaded.
"use strict";

const every = Number(document.body.dataset.refresh) * 1000;
const news = document.getElementById("news");
let shownAt = document.body.dataset.at;

function isInUse() {
  // Whoever types, goes by keyboard, is about to post, or has marked something to copy.
  const focused = document.activeElement;
  const typing = focused && focused.matches("main form *, main :focus-visible");
  const open = document.querySelector("main details[open] form");
  return typing || open || String(document.getSelection()) !== "";
}

function say(text) {
  if (news.textContent === text) return;
  news.className = text ? "banner odd" : "";
  news.textContent = text;
}

async function refresh() {
  if (document.hidden || isInUse()) return;
  let fresh;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    say(`The exporter does not answer: this is how it was at ${shownAt}.`);
    return;
  }
  if (isInUse()) return;
  const opened = [...document.querySelectorAll("main details[open][id]")].map((one) => one.id);
  for (const part of ["main", "header.top", "footer"]) {
    document.querySelector(part).replaceWith(document.adoptNode(fresh.querySelector(part)));
  }
  for (const id of opened) {
    const again = document.getElementById(id);
    if (again) again.open = true;
  }
  document.title = fresh.title;
  shownAt = fresh.body.dataset.at;
  say("");
}

if (every > 0) setInterval(refresh, every);
