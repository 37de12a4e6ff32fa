/** A drawing of the service, as an image: in it no script runs and no link leads, whatever a label says. */

import { el } from "./dom.js";

/** Its element, and what shows another one on it; `signal` ends it. */
export function drawing(signal) {
  const picture = el("img", { alt: "" });
  const frame = el("div", { class: "drawing fit", tabindex: 0, role: "region", "aria-label": "Drawing" }, picture);
  const size = el("button", {
    type: "button", hidden: true, "aria-pressed": "false",
    click: () => size.setAttribute("aria-pressed", String(!frame.classList.toggle("fit"))),
  }, "Full size");
  let url = null;
  const forget = () => { if (url !== null) URL.revokeObjectURL(url); };
  signal.addEventListener("abort", forget);
  // Only what does not fit has two sizes.
  picture.addEventListener("load", () => { size.hidden = picture.naturalWidth <= frame.clientWidth; });
  return {
    element: el("div", {}, el("div", { class: "heads" }, el("h2", {}, "Drawing"), size), frame),
    show(svg, told) {
      forget();
      url = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
      picture.src = url;
      picture.alt = told;
    },
  };
}
