/** Instances: found by what they are, by pages, brought up to date as things happen. */

import { follow, get, path } from "./api.js";
import { el, instanceLink, status, table, time } from "./dom.js";

const STATUSES = ["open", "created", "running", "paused", "cancelling", "completed", "failed", "cancelled", "terminated",
  "timed_out"];
const LIMIT = 50;

/** How long news may gather before the page is read again. */
const GATHER = 700;

/** `customer = C-7, total = 3` as the service has it; what is no JSON is a text. */
export function wanted(typed) {
  const found = {};
  for (const part of typed.split(",").filter((each) => each.trim() !== "")) {
    const [name, ...rest] = part.split("=");
    const text = rest.join("=").trim();
    try {
      found[name.trim()] = JSON.parse(text);
    } catch {
      found[name.trim()] = text;
    }
  }
  return Object.keys(found).length === 0 ? "" : JSON.stringify(found);
}

export async function instances({ body, signal, failed }) {
  const workflow = el("select", {}, el("option", { value: "" }, "all"));
  const which = el("select", {}, el("option", { value: "" }, "all"),
    STATUSES.map((each) => el("option", { value: each }, each.replaceAll("_", " "))));
  const state = el("input", { type: "search", size: 14 });
  const prefix = el("input", { type: "search", size: 22 });
  const key = el("input", { type: "search", size: 14 });
  const value = el("input", { type: "search", size: 18, placeholder: "customer = C-7" });
  const list = el("div", {});
  const newer = el("button", { type: "button", disabled: true, click: () => { pages.pop(); load().catch(failed); } }, "Newer");
  const older = el("button", { type: "button", disabled: true, click: () => { pages.push(next); load().catch(failed); } }, "Older");
  const place = el("span", { class: "soft" });
  // What each page was asked with: null is the first.
  let pages = [null];
  let next = null;
  let waiting = 0;

  async function load() {
    const found = await get(path("instances"), {
      workflow: workflow.value, status: which.value, state: state.value.trim(), prefix: prefix.value.trim(),
      key: key.value.trim(), where: wanted(value.value), limit: LIMIT, after: pages.at(-1),
    });
    if (signal.aborted) return;
    next = found.after;
    const held = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    list.replaceChildren(table("Instances",
      ["Id", "Workflow", "Status", "State", "Started", "Changed"],
      found.instances.map((each) => [
        instanceLink(each.id), `${each.workflow} ${each.definition_version}`, status(each.status, each.outcome), each.state,
        { class: "short", of: time(each.started) }, { class: "short", of: time(each.changed) }]),
      "No instance is like that."));
    if (held !== null) list.querySelector(`a[href="${CSS.escape(held)}"]`)?.focus();
    newer.disabled = pages.length === 1;
    older.disabled = next === null;
    place.textContent = found.instances.length === 0 ? "" : `page ${pages.length}, those that started last first`;
  }

  const search = () => { pages = [null]; return load().catch(failed); };
  for (const each of [workflow, which]) each.addEventListener("change", search);
  body.append(
    el("form", { class: "row", role: "search", submit: (event) => { event.preventDefault(); search(); } },
      el("label", {}, "Workflow", workflow), el("label", {}, "Status", which), el("label", {}, "State", state),
      el("label", {}, "Id begins with", prefix), el("label", {}, "Correlation key", key), el("label", {}, "Variable", value), el("button", {}, "Search")),
    list, el("p", { class: "row" }, newer, older, place));
  const known = await get(path("definitions"));
  workflow.append(...known.definitions.map((each) => el("option", { value: each.name }, each.name)));
  await load();
  await follow(path("events"), null, () => {
    // Of many that change at once, one look tells all.
    waiting ||= setTimeout(() => { waiting = 0; if (!signal.aborted) load().catch(failed); }, GATHER);
  }, () => {}, signal);
}
