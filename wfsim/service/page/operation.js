/** What an operator watches: workers and queues, what is due, webhooks. Read again every few seconds. */

import { get, path, post } from "./api.js";
import { el, instanceLink, span, status, table, time } from "./dom.js";

const AGAIN = 3000;

/** Read and show again until the page is left; a table stays as it is while the focus is in it. */
async function often(signal, load) {
  while (!signal.aborted) {
    await load();
    await new Promise((done) => setTimeout(done, AGAIN));
  }
}

export async function workers({ body, signal }) {
  await often(signal, async () => {
    const [people, queues] = await Promise.all([get(path("workers")), get(path("queues"))]);
    if (signal.aborted || body.contains(document.activeElement)) return;
    body.replaceChildren(
      el("h2", {}, "Workers"),
      table("Workers", ["Worker", "Sign of life", "Groups", { class: "number", of: "At work" }, "Since", "Activities"],
        people.workers.map((each) => [
          each.id.split("#")[0],
          each.is_gone ? el("span", { class: "bad" }, `none for ${span(each.silent)}`) : el("span", { class: "good" }, `${span(each.silent)} ago`),
          each.groups === null ? "all" : each.groups.join(", ") || "none: lets happen what is due",
          { class: "number", of: String(each.attempts) }, { class: "short", of: time(each.started) },
          each.activities.join(", ") || "none"]),
        "Nobody works: start one by wfsim worker, or give wfsim serve --activities."),
      el("h2", {}, "Queues"),
      table("Queues", ["Group", { class: "number", of: "Wait" }, { class: "number", of: "Run" }, { class: "number", of: "Later" },
        "At once in all", "In each worker", "Starts"],
      queues.queues.map((each) => [each.group, ...[each.queued, each.running, each.later].map((n) => ({ class: "number", of: String(n) })),
        each.concurrency === null ? "no limit" : String(each.concurrency),
        each.worker_concurrency === null ? "–" : String(each.worker_concurrency), each.rate ?? "no limit"]),
      "There is no queue."));
  });
}

export async function timers({ body, signal }) {
  await often(signal, async () => {
    const found = await get(path("due"), { limit: 100 });
    if (signal.aborted || body.contains(document.activeElement)) return;
    body.replaceChildren(
      el("p", { class: "soft" }, "What happens next by itself: the first hundred."),
      table("Due", ["When", "", "What", "To"], found.due.map((each) => [
        { class: "short", of: time(each.due) },
        each.overdue ? el("span", { class: "bad" }, `overdue for ${span(Date.now() * 1000 - each.due)}`)
          : `in ${span(each.due - Date.now() * 1000)}`,
        each.kind, each.kind === "route" || each.kind === "kept" ? each.target : instanceLink(each.target)]),
      "Nothing is due."));
  });
}

export async function webhooks({ body, id, signal, say, failed }) {
  if (id !== null) {
    await messages(body, id, signal, say, failed);
    return;
  }
  await often(signal, async () => {
    const found = await get(path("webhooks"));
    if (signal.aborted || body.contains(document.activeElement)) return;
    body.replaceChildren(table("Webhooks", ["Webhook", "Address", "Workflows", "Kinds", "Events", "Told"], found.webhooks.map((each) => [
      el("a", { href: `#/webhooks/${encodeURIComponent(each.id)}` }, each.id), each.url,
      ...[each.workflows, each.kinds, each.events].map((names) => (names === null ? "all" : names.join(", "))),
      each.off === null ? el("span", { class: "good" }, "yes") : el("span", { class: "bad" }, `no: ${each.off}`)]),
    "Nobody is told: an administrator registers webhooks by POST /v1/webhooks, or engine.webhooks.add(…)."));
  });
}

async function messages(body, id, signal, say, failed) {
  const at = path("webhooks", id);
  const which = el("select", {}, el("option", { value: "" }, "all"),
    ["waiting", "delivered", "dead"].map((each) => el("option", { value: each }, each)));
  const list = el("div", {});
  const repeat = async (number) => {
    try {
      const done = await post(`${at}/repeat`, { number });
      say(`${done.repeated} ${done.repeated === 1 ? "message is" : "messages are"} sent again.`);
      await load();
    } catch (error) {
      failed(error);
    }
  };

  async function load() {
    const found = await get(`${at}/deliveries`, { status: which.value, limit: 100 });
    if (signal.aborted || list.contains(document.activeElement)) return;
    list.replaceChildren(table("Messages", [{ class: "number", of: "#" }, "Status", "Instance", "Record", { class: "number", of: "Tries" },
      "Last try", "What came of it", ""], found.deliveries.map((each) => [
      { class: "number", of: String(each.number) }, status(each.status), instanceLink(each.instance), `${each.kind.replaceAll("_", " ")} (${each.seq})`,
      { class: "number", of: String(each.tries) }, { class: "short", of: each.tries ? time(each.changed) : "–" }, each.told ?? "–",
      each.status === "waiting" ? "" : el("button", { type: "button", click: (event) => { event.target.blur(); repeat(each.number); },
        "aria-label": `Send message ${each.number} again` }, "Again")]),
    "There is no such message."));
  }

  which.addEventListener("change", () => load().catch(failed));
  body.append(
    el("p", { class: "row" }, el("label", {}, "Messages", which),
      el("button", { type: "button", click: () => repeat(null) }, "Send all dead ones again"),
      el("a", { href: "#/webhooks" }, "All webhooks")),
    list);
  await often(signal, load);
}
