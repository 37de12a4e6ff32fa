/** One instance: where it is on its drawing, what happened, what it holds, and what may be done to it. */

import { follow, get, path, post, text } from "./api.js";
import { el, facts, instanceLink, json, problem, span, status, table, time } from "./dom.js";
import { drawing } from "./drawing.js";

const COMMANDS = {
  pause: { fits: (one) => one.status === "running", says: "No transition is taken and no attempt begins until it is resumed." },
  resume: { fits: (one) => one.status === "paused", says: "It goes on, and what has waited is worked off." },
  retry: { fits: (one) => ["failed", "timed_out"].includes(one.status), says: "It is opened again where it failed." },
  cancel: { fits: (one) => !one.is_closed && one.status !== "cancelling", danger: true,
    says: "What it has done is undone, as its definition says, and it ends as cancelled." },
  terminate: { fits: (one) => !one.is_closed, danger: true, says: "It ends at once. Nothing is undone." },
};
const PAGE = 200;
const GATHER = 250;

export async function instance({ body, id, signal, may, say, failed }) {
  const at = path("instances", id);
  const connected = el("p", { class: "soft", role: "status" });
  const about = el("div", {});
  const actions = el("div", { class: "row" });
  const picture = drawing(signal);
  const now = el("div", {});
  const rows = el("tbody", {});
  const earlier = el("button", { type: "button", hidden: true }, "Show earlier records");
  const timeline = el("div", { class: "timeline", tabindex: 0, role: "region", "aria-label": "Timeline" },
    el("table", {}, el("thead", {}, el("tr", {}, ["#", "Time", "What happened", ""].map((each) =>
      each ? el("th", { scope: "col" }, each) : el("td", {})))), rows));
  let seen = 0;
  let waiting = 0;
  let one = null;

  async function look() {
    const [found, svg, children] = await Promise.all([
      get(at), text(`${at}/drawing`), get(`${at}/children`)]);
    if (signal.aborted) return;
    one = found;
    about.replaceChildren(facts([
      ["Status", status(one.status, one.outcome)],
      ["State", Object.entries(one.configuration).map(([region, state]) => (region ? `${region}: ${state}` : state)).join(", ")],
      ["Workflow", el("a", { href: `#/definitions/${encodeURIComponent(one.workflow)}` }, `${one.workflow} ${one.definition_version}`)],
      ["Key", one.key === null ? null : json(one.key)],
      ["Started", time(one.started)], ["Last record", time(one.changed)],
      ["Started by", one.parent === null ? null : instanceLink(one.parent)],
      ["Waits for", one.waiting.length ? one.waiting.join(", ") : null],
    ]));
    offer();
    picture.show(svg, `Drawing of ${one.workflow}; active: ${Object.values(one.configuration).join(", ")}`);
    now.replaceChildren(
      el("h2", {}, "Variables"),
      table("Variables", ["Name", "Value"], Object.entries(one.variables).map(([name, value]) =>
        [name, el("code", {}, json(value))]), "It has none."),
      ...(one.activities.length === 0 ? [] : [el("h2", {}, "Activities"),
        table("Activities", ["Activity", "Attempt", "Phase"], one.activities.map((each) =>
          [each.activity, { class: "number", of: String(each.attempt) }, each.phase]), "")]),
      ...(one.timers.length === 0 ? [] : [el("h2", {}, "Timers"),
        table("Timers", ["Timer", "Of", "Due"], one.timers.map((each) =>
          [each.name, owner(each), due(each.due)]), "")]),
      ...(children.instances.length === 0 ? [] : [el("h2", {}, "Children"),
        table("Children", ["Id", "Workflow", "Status"], children.instances.map((each) =>
          [instanceLink(each.id), each.workflow, status(each.status, each.outcome)]), "")]));
  }

  function owner(timer) {
    return one.activities.find((each) => each.activity_id === timer.activity_id)?.activity
      ?? (timer.region === null ? "the workflow" : one.configuration[timer.region] ?? timer.region);
  }

  function due(micros) {
    const left = micros - Date.now() * 1000;
    return el("span", {}, time(micros), el("span", { class: "soft" }, left > 0 ? ` (in ${span(left)})` : " (now)"));
  }

  function offer() {
    if (!may("operator")) return;
    const focus = actions.contains(document.activeElement) ? document.activeElement.textContent : null;
    const fit = Object.entries(COMMANDS).filter(([, each]) => each.fits(one));
    actions.replaceChildren(
      one.is_closed ? "" : el("button", { type: "button", click: () => compose().catch(failed) }, "Send event"),
      ...fit.map(([name, each]) =>
        el("button", { type: "button", class: each.danger ? "danger" : null, click: () => confirm(name, each) }, title(name))));
    [...actions.children].find((each) => each.textContent === focus)?.focus();
  }

  /** Nothing is commanded by one wrong click. */
  function confirm(name, command) {
    const reason = el("input", { id: "reason", maxlength: 2000, autocomplete: "off" });
    const box = el("dialog", { "aria-labelledby": "asks", close: () => box.remove() },
      el("form", {
        submit: async (event) => {
          event.preventDefault();
          box.close();
          try {
            const answer = await post(`${at}/commands`, { command: name, reason: reason.value.trim() || null });
            say(answer.answer === "accepted" ? `${title(name)}: done.` : `${title(name)} does not fit its status any more.`);
            await look();
          } catch (error) {
            failed(error);
          }
        },
      },
      el("h2", { id: "asks" }, `${title(name)} ${id}?`),
      el("p", {}, command.says),
      el("label", {}, "Reason (stands in its history)", reason),
      el("div", { class: "row" },
        el("button", { type: "button", click: () => box.close() }, "Leave it"),
        el("button", { class: command.danger ? "danger" : null }, title(name)))));
    document.body.append(box);
    box.showModal();
    reason.focus();
  }

  /** An event of its workflow, with what it carries; what is refused is told where it was written, and nothing is lost. */
  async function compose() {
    const { events } = await get(path("definitions", one.workflow, one.definition_version));
    if (Object.keys(events).length === 0) {
      say(`${one.workflow} declares no events.`);
      return;
    }
    const which = el("select", { id: "which" }, Object.keys(events).map((each) => el("option", {}, each)));
    const payload = el("textarea", { id: "payload", rows: 4, spellcheck: "false", autocomplete: "off" });
    const fields = el("p", { class: "soft" });
    const told = el("div", {});
    const fit = () => {
      const known = Object.entries(events[which.value] ?? {});
      fields.textContent = known.length ? known.map(([name, type]) => `${name}: ${type}`).join(", ") : "It carries nothing.";
      payload.value = JSON.stringify(Object.fromEntries(known.map(([name]) => [name, null])), null, 1);
      told.replaceChildren();
    };
    which.addEventListener("change", fit);
    fit();
    const box = el("dialog", { "aria-labelledby": "sends", close: () => box.remove() },
      el("form", {
        submit: async (event) => {
          event.preventDefault();
          try {
            const answer = await post(`${at}/events`, { event: which.value, payload: JSON.parse(payload.value || "{}") });
            box.close();
            say(`${which.value}: ${answer.answer}.`);
            await look();
          } catch (error) {
            told.replaceChildren(problem(error instanceof SyntaxError ? { message: `The payload is no JSON: ${error.message}` } : error));
          }
        },
      },
      el("h2", { id: "sends" }, `Send an event to ${id}`),
      el("label", {}, "Event", which),
      el("label", {}, "Payload (JSON)", payload),
      fields, told,
      el("div", { class: "row" },
        el("button", { type: "button", click: () => box.close() }, "Leave it"),
        el("button", {}, "Send"))));
    if (signal.aborted) return;
    document.body.append(box);
    box.showModal();
    which.focus();
  }

  function row(record) {
    const more = { ...record.payload };
    const by = record.metadata?.wfsim?.by;
    const beside = record.metadata === null || record.metadata === undefined ? null
      : Object.fromEntries(Object.entries(record.metadata).filter(([name]) => name !== "wfsim"));
    const told = [json(more) === "{}" ? null : json(more), beside && json(beside) !== "{}" ? `metadata ${json(beside)}` : null]
      .filter((each) => each !== null).join("\n");
    return el("tr", {},
      el("td", { class: "number soft" }, String(record.seq)),
      el("td", { class: "short" }, time(record.time)),
      el("td", {}, words(record), by ? el("span", { class: "soft" }, ` by ${by}`) : null),
      el("td", { class: "short" }, told ? el("details", {}, el("summary", { "aria-label": `Details of record ${record.seq}` }, "details"), el("pre", {}, told)) : null));
  }

  /** The last records; earlier ones by pages. */
  async function records() {
    const first = Math.max(one.version - PAGE, 0);
    const add = async (from, upto) => {
      const found = await get(`${at}/history`, { after: from, limit: upto - from });
      if (signal.aborted) return;
      rows.prepend(...found.records.map(row));
      earlier.hidden = from === 0;
      earlier.onclick = () => add(Math.max(from - PAGE, 0), from).catch(failed);
    };
    if (one.version > 0) await add(first, one.version);
    seen = one.version;
    timeline.scrollTop = timeline.scrollHeight;
  }

  const name = el("input", { autocomplete: "off", required: true, size: 24 });
  const answer = el("div", { role: "status" });
  body.append(
    connected, about, actions,
    el("div", { class: "sides" },
      el("div", {}, picture.element, now),
      el("div", {}, el("h2", {}, "Timeline"), earlier, timeline,
        el("h2", {}, "Why not?"),
        el("form", {
          class: "row",
          submit: async (event) => {
            event.preventDefault();
            try {
              const found = await post(`${at}/why-not`, { name: name.value.trim() });
              answer.replaceChildren(
                el("p", { class: found.possible ? "good" : "bad" },
                  found.possible ? `${found.name} can happen now.` : `${found.name} cannot happen now.`),
                el("ul", {}, found.reasons.map((each) => el("li", {}, each))));
            } catch (error) {
              answer.replaceChildren(el("p", { class: "bad" }, error.message));
            }
          },
        },
        el("label", {}, "Event or state", name), el("button", {}, "Ask")),
        answer)));
  await look();
  await records();
  if (one.is_closed) return;
  const again = () => {
    waiting ||= setTimeout(() => { waiting = 0; if (!signal.aborted) look().catch(failed); }, GATHER);
  };
  await follow(`${at}/events`, seen, (event, record) => {
    if (event === "record" && record.seq > seen) {
      seen = record.seq;
      const atEnd = timeline.scrollTop + timeline.clientHeight >= timeline.scrollHeight - 40;
      rows.append(row(record));
      if (atEnd) timeline.scrollTop = timeline.scrollHeight;
    }
    again();
  }, (is) => { connected.textContent = is ? "" : "The connection is lost; it is tried again."; }, signal);
}

function title(name) {
  return name[0].toUpperCase() + name.slice(1);
}

/** A record in a few words: its kind, and the names that belong to it. */
function words(record) {
  const kind = record.kind.replaceAll("_", " ");
  const named = [
    record.to_state && record.state ? `${record.state} → ${record.to_state}` : (record.state ?? record.to_state),
    record.event, record.payload.command, record.activity, record.attempt === null || record.attempt === undefined ? null : `attempt ${record.attempt}`,
    record.error_type, record.kind === "status_changed" || record.kind === "instance_closed" ? record.status : null, record.outcome,
  ].filter((each) => each !== null && each !== undefined && each !== "");
  return [el("strong", {}, kind), named.length ? ` ${named.join(", ")}` : ""];
}
