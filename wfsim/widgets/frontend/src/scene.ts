/** What a widget shows, as Python sends it: whole once, then what has changed. */
export type Changes = { [name: string]: unknown };

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The scene with changes: each replaces what has its name. Where both are objects, their entries are replaced one by
 * one, and an entry that is null is taken away; `wfsim.widgets.wire.difference` is its other half.
 */
export function patched<S extends object>(scene: S, changes: Changes): S {
  const next = { ...scene } as Record<string, unknown>;
  for (const [name, change] of Object.entries(changes)) {
    const old = next[name];
    next[name] = isRecord(old) && isRecord(change) ? entries(old, change) : change;
  }
  return next as S;
}

function entries(old: Record<string, unknown>, change: Record<string, unknown>): Record<string, unknown> {
  // From entries, and without a prototype: a state may be called `__proto__`.
  const found = new Map(Object.entries(old));
  for (const [name, value] of Object.entries(change)) {
    if (value === null) found.delete(name);
    else found.set(name, value);
  }
  return Object.assign(Object.create(null), Object.fromEntries(found));
}
