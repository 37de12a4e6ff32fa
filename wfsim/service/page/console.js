/** The console: signs in, knows the sections, and shows the one that the address names. */

import { get, path, use } from "./api.js";
import { el, problem } from "./dom.js";
import { definitions } from "./definitions.js";
import { instance } from "./instance.js";
import { instances } from "./instances.js";
import { timers, webhooks, workers } from "./operation.js";

const ROLES = ["viewer", "operator", "publisher", "admin"];

/** Sections: name in the address, title, what shows it, and the role that may see it. */
const SECTIONS = [
  ["instances", "Instances", instances, "viewer"],
  ["definitions", "Definitions", definitions, "viewer"],
  ["workers", "Workers and queues", workers, "viewer"],
  ["timers", "Due", timers, "viewer"],
  ["webhooks", "Webhooks", webhooks, "operator"],
];

const main = document.getElementById("main");
const top_ = document.getElementById("top");
const said = document.getElementById("said");
let caller = null;
let leave = new AbortController();
let hush = 0;

const may = (role) => ROLES.indexOf(caller.role) >= ROLES.indexOf(role);

/** What has just been done, for eyes and screen readers. */
function say(told) {
  clearTimeout(hush);
  said.textContent = told;
  hush = setTimeout(() => { said.textContent = ""; }, 6000);
}

function failed(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) {
    signIn(error.message);
    return;
  }
  main.querySelector(".problem")?.remove();
  const heading = main.querySelector("h1");
  if (heading) heading.after(problem(error));
  else main.replaceChildren(problem(error));
}

function signIn(why = "") {
  leave.abort();
  caller = null;
  use(null);
  top_.hidden = true;
  document.title = "Sign in · wfsim console";
  const field = el("input", { type: "password", id: "key", autocomplete: "off", spellcheck: "false", required: true });
  const told = el("div", {}, why ? problem({ message: why }) : null);
  main.replaceChildren(el("div", { class: "sign-in" },
    el("h1", {}, "wfsim console"), told,
    el("form", {
      submit: async (event) => {
        event.preventDefault();
        try {
          await enter(field.value.trim());
        } catch (error) {
          told.replaceChildren(problem(error));
          field.focus();
        }
      },
    },
    el("label", {}, "Key", field),
    el("p", { class: "soft" }, "What ", el("code", {}, "wfsim keys add"), " printed. It stays in this page, and is gone with it."),
    el("button", {}, "Sign in"))));
  field.focus();
}

async function enter(key) {
  use(key);
  caller = await get(path("caller"));
  top_.hidden = false;
  document.getElementById("sections").replaceChildren(
    ...SECTIONS.filter(([, , , role]) => may(role)).map(([name, title]) => el("li", {}, el("a", { href: `#/${name}` }, title))));
  document.getElementById("caller").replaceChildren(
    el("span", {}, `${caller.name}, ${caller.role} of ${caller.namespace}`),
    key === null ? "" : el("button", { type: "button", click: () => signIn() }, "Sign out"));
  show();
}

function show() {
  if (caller === null) return;
  leave.abort();
  leave = new AbortController();
  const [, name = "", id] = location.hash.split("/");
  const [known, title, draw] = SECTIONS.find(([each, , , role]) => each === name && may(role)) ?? SECTIONS[0];
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${known}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const given = id === undefined || id === "" ? null : decodeURIComponent(id);
  const heading = given !== null && known === name ? given : title;
  document.title = `${heading} · wfsim console`;
  const body = el("div", {});
  main.replaceChildren(el("h1", {}, heading), body);
  main.focus();
  const page = { body, signal: leave.signal, may, say, failed, id: given };
  const shown = known === "instances" && given !== null ? instance(page) : draw(page);
  shown.catch(failed);
}

window.addEventListener("hashchange", show);
// Without keys a service lets this machine in; else it asks for one.
enter(null).catch((error) => (error.status === 401 ? signIn() : main.replaceChildren(problem(error))));
