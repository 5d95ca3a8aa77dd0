#include "net/http/docs_page.hpp"

namespace troupe::net {

const std::string_view docs_style = R"css(:root {
  color-scheme: light dark;
  --text: #1b1f24; --soft: #57606a; --back: #ffffff; --panel: #f5f7f9; --line: #d5dae0; --link: #0550ae;
  --get: #0a5c36; --post: #0550ae; --put: #7a4100; --patch: #7a4100; --delete: #a40e26; --verb-text: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e6e9ed; --soft: #a3adb8; --back: #0e1216; --panel: #171c22; --line: #313941; --link: #79b8ff;
    --get: #56d364; --post: #79b8ff; --put: #f0a860; --patch: #f0a860; --delete: #ff8f8a; --verb-text: #0e1216;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 82rem; padding: 0 1rem 4rem; color: var(--text); background: var(--back);
  font: 1rem/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--back); padding: .5rem 1rem; z-index: 1; }
h1 { font-size: 1.7rem; margin: 1.5rem 0 0; }
h1 small, .type, .bounds, .id, #found { color: var(--soft); font-weight: normal; }
h2 { font-size: 1.35rem; margin: 2.2rem 0 .5rem; }
h4 { font-size: 1rem; margin: 1.3rem 0 .3rem; }
p { margin: .4rem 0; max-width: 70ch; }
.bounds, .id { font-size: .9rem; }
.links a { margin-right: 1rem; }
code, pre { font: .9em/1.5 ui-monospace, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow: auto;
  max-height: 26rem; overflow-wrap: normal; }
dl { margin: .3rem 0; }
dt { margin-top: .5rem; }
dd { margin: 0 0 0 1rem; padding-left: .7rem; border-left: 2px solid var(--line); }
.search label { display: block; font-weight: 600; margin-top: .8rem; }
.search input { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--soft); border-radius: 6px;
  padding: .5rem .7rem; width: 100%; max-width: 36rem; }
nav ul { list-style: none; padding: 0; margin: .2rem 0 .8rem; }
nav h2 { font-size: 1rem; margin: .9rem 0 .2rem; }
nav li a { display: block; padding: .15rem 0; text-decoration: none; }
nav li a:hover { text-decoration: underline; }
nav summary { font-weight: 600; cursor: pointer; padding: .5rem 0; }
.operation, .schema { border: 1px solid var(--line); border-radius: 8px; margin: .5rem 0; padding: 0 .9rem; }
.operation[open], .schema[open] { padding-bottom: 1rem; }
.operation > summary, .schema > summary { cursor: pointer; padding: .6rem 0; }
.verb { display: inline-block; min-width: 4.1rem; text-align: center; text-transform: uppercase; font-size: .75rem;
  font-weight: 700; border-radius: 4px; padding: .1rem .4rem; color: var(--verb-text); }
nav .verb { min-width: 3.6rem; font-size: .65rem; }
.verb.get { background: var(--get); } .verb.post { background: var(--post); } .verb.put { background: var(--put); }
.verb.patch { background: var(--patch); } .verb.delete { background: var(--delete); }
.path { font-weight: 600; }
.says { color: var(--soft); }
.status { font-weight: 700; }
.deprecated { color: var(--delete); }
[hidden] { display: none; }
@media (min-width: 60rem) {
  body { display: grid; grid-template-columns: 18rem minmax(0, 1fr); column-gap: 2.5rem; }
  header { grid-column: 1 / -1; }
  nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; padding-bottom: 2rem; }
  .operation > summary { display: list-item; }
}
)css";

const std::string_view docs_script = R"js("use strict";
// Filters operations while one types, and opens what a link points to.
const box = document.getElementById("search");
const found = document.getElementById("found");
const operations = [...document.querySelectorAll(".operation")];
const sections = [...document.querySelectorAll("section.tag")];

function filter() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const one of operations) {
    one.hidden = !words.every((word) => one.dataset.text.includes(word));
    count += one.hidden ? 0 : 1;
  }
  for (const section of sections) {
    section.hidden = words.length > 0 && !section.querySelector(".operation:not([hidden])");
  }
  for (const id of ["schemas", "problems"]) document.getElementById(id).hidden = words.length > 0;
  document.querySelector(".guide").hidden = words.length > 0;
  found.textContent = words.length > 0 ? `${count} of ${operations.length} operations` : "";
}

function reveal() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) {
    box.value = "";
    filter();
  }
  if (target instanceof HTMLDetailsElement) target.open = true;
  target.scrollIntoView();
}

box.addEventListener("input", filter);
box.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    box.value = "";
    filter();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== box && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
  }
});
window.addEventListener("hashchange", reveal);
if (matchMedia("(max-width: 59.99rem)").matches) document.querySelector("nav details").open = false;
reveal();
)js";

} // namespace troupe::net
