/** Elements, made so that whatever stands in a name stays text. */

/**
 * An element. Attributes that are false or null are left out, functions are listeners; children are elements or texts.
 * @param {string} name
 * @param {Record<string, any>} [attributes]
 * @param {...any} children
 */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") made.addEventListener(key, value);
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.flat(Infinity).filter((each) => each !== null && each !== undefined && each !== false));
  return made;
}

/** A table with rows of cells; a cell is a text, an element, or { class, of }. */
export function table(caption, heads, rows, empty) {
  if (rows.length === 0) return el("p", { class: "empty" }, empty);
  const cell = (kind, given, more = {}) => {
    const has = given !== null && typeof given === "object" && "of" in given;
    return el(kind, { ...more, class: has ? given.class : null }, has ? given.of : (given ?? "–"));
  };
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", {},
      el("thead", {}, el("tr", {}, heads.map((head) => (head === "" ? el("td") : cell("th", head, { scope: "col" }))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, row.map((each) => cell("td", each)))))));
}

/** A list of facts: pairs of a word and what is so. */
export function facts(pairs) {
  return el("dl", { class: "facts" },
    pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
      .map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

/** A time from microseconds, in the reader's zone; the whole of it as a title. */
export function time(micros, withDate = true) {
  const then = new Date(micros / 1000);
  const pad = (n) => String(n).padStart(2, "0");
  const day = `${then.getFullYear()}-${pad(then.getMonth() + 1)}-${pad(then.getDate())}`;
  const clock = `${pad(then.getHours())}:${pad(then.getMinutes())}:${pad(then.getSeconds())}`;
  return el("time", { datetime: then.toISOString(), title: then.toISOString() }, withDate ? `${day} ${clock}` : clock);
}

/** A length of time from microseconds, in its two largest units. */
export function span(micros) {
  let left = Math.round(micros / 1e6);
  if (left < 1) return "0 s";
  const told = [];
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]) {
    const n = Math.floor(left / size);
    left -= n * size;
    if (n > 0) told.push(`${n} ${unit}`);
  }
  return told.slice(0, 2).join(" ");
}

const LOOKS = { completed: "good", failed: "bad", timed_out: "bad", terminated: "bad", cancelled: "bad", paused: "wait",
  cancelling: "wait", delivered: "good", dead: "bad", waiting: "wait" };

/** The status of an instance or a message: a word, and a colour beside it; whoever ends may have failed all the same. */
export function status(word, outcome = null) {
  const told = word.replaceAll("_", " ");
  return outcome === "failure" && word === "completed"
    ? el("span", { class: "status bad" }, `${told} in failure`)
    : el("span", { class: `status ${LOOKS[word] ?? ""}` }, told);
}

/** JSON as people read it. */
export function json(value) {
  return typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : JSON.stringify(value);
}

/** Where an instance is shown. */
export function instanceLink(id) {
  return el("a", { href: `#/instances/${encodeURIComponent(id)}` }, id);
}

/** What went wrong, and what to do. */
export function problem(error) {
  return el("div", { class: "problem", role: "alert" },
    el("p", {}, error.message),
    error.advice && error.advice !== "Read the detail." ? el("p", { class: "soft" }, error.advice) : null,
    error.request ? el("p", { class: "soft" }, "Request ", el("code", {}, error.request)) : null);
}
