/** Definitions: what is published, and one of it with its drawing. */

import { get, path, text } from "./api.js";
import { el, table } from "./dom.js";
import { drawing } from "./drawing.js";

export async function definitions({ body, id, signal, failed }) {
  if (id !== null) {
    await one(body, id, signal, failed);
    return;
  }
  const found = await get(path("definitions"));
  body.append(table("Definitions", ["Workflow", "Latest", "All versions"], found.definitions.map((each) => [
    el("a", { href: `#/definitions/${encodeURIComponent(each.name)}` }, each.name), each.latest, each.versions.join(", ")]),
  "Nothing is published yet: wfsim serve --workflows, or POST /v1/definitions."));
}

async function one(body, name, signal, failed) {
  const known = await get(path("definitions", name));
  const version = el("select", {}, known.versions.toReversed().map((each) => el("option", {}, each)));
  const picture = drawing(signal);
  const source = el("pre", { tabindex: 0, role: "region", "aria-label": "Definition in YAML" });

  async function load() {
    const at = path("definitions", name, version.value);
    const [found, svg] = await Promise.all([get(at), text(`${at}/drawing`)]);
    if (signal.aborted) return;
    source.textContent = found.definition;
    picture.show(svg, `Drawing of ${name}`);
  }

  version.addEventListener("change", () => load().catch(failed));
  body.append(
    el("p", { class: "row" }, el("label", {}, "Version", version), el("a", { href: "#/definitions" }, "All definitions")),
    el("div", { class: "sides" },
      picture.element,
      el("div", {}, el("h2", {}, "Definition"), source)));
  await load();
}
