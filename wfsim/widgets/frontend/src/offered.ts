const MOST = 8;

/** The word that ends at the caret, and what it may become: a key where a line begins, else a name that exists. */
export function offered(
  text: string,
  caret: number | null,
  keys: string[],
  words: string[],
): { word: string; found: string[] } {
  const line = text.slice(text.lastIndexOf("\n", (caret ?? 0) - 1) + 1, caret ?? 0);
  const word = /[\w.]*$/.exec(line)![0];
  if (!word) return { word, found: [] };
  const first = /^\s*(- )?$/.test(line.slice(0, line.length - word.length));
  const known = first ? keys.map((key) => `${key}: `) : words;
  return { word, found: known.filter((each) => each.startsWith(word) && each !== word).slice(0, MOST) };
}

/** The outermost key that the line of the caret belongs to. */
export function keyAt(text: string, caret: number | null): string | null {
  if (caret === null) return null;
  const end = text.indexOf("\n", caret);
  const lines = text.slice(0, end < 0 ? text.length : end).split("\n");
  const line = lines.findLast((each) => /^[\w]+:/.test(each));
  return line === undefined ? null : line.slice(0, line.indexOf(":"));
}
