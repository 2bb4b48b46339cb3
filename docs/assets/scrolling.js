// Tables and code that are wider than the page can be scrolled by the keyboard, and have a name.
"use strict";
function nameOf(part) {
  let above = part;
  while (above && !above.matches("h1, h2, h3, h4, h5, h6")) above = above.previousElementSibling || above.parentElement;
  const heading = above ? above.textContent.replace("¶", "").trim() : document.title;
  return `${part.matches("code") ? "Code" : "Table"}: ${heading}`;
}
function mark(part) {
  if (part.scrollWidth > part.clientWidth) {
    part.tabIndex = 0;
    part.setAttribute("role", "region");
    part.setAttribute("aria-label", nameOf(part));
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) part.removeAttribute(name);
  }
}
addEventListener("load", () => {
  const sizes = new ResizeObserver(entries => entries.forEach(entry => mark(entry.target)));
  document.querySelectorAll(".md-typeset pre > code, .md-typeset__scrollwrap").forEach(part => { mark(part); sizes.observe(part); });
});
