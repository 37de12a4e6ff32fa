import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { keyAt, offered } from "./offered.ts";
import { Problem } from "./told.tsx";
import { useTyped } from "./typed.ts";

interface Props {
  label: string;
  text: string;
  /** Why the last text that was applied cannot be; it names the line. */
  problem: string;
  keys: { key: string; means: string }[];
  words: string[];
  rows: number;
  onApply(text: string): void;
}

/** A text that is typed and then applied as a whole; keys and names that exist are offered while one types. */
export function Completing({ label, text, problem, keys, words, rows, onApply }: Props) {
  const { typed, type, send, back } = useTyped(text);
  const [caret, setCaret] = useState<number | null>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const next = useRef<number | null>(null);
  // Before the next key is heard, which would else be written where the caret was.
  useLayoutEffect(() => {
    if (next.current === null) return;
    area.current!.setSelectionRange(next.current, next.current);
    next.current = null;
  }, [typed]);
  const why = useId();
  // What is wrong is shown where it is: its line is selected.
  useEffect(() => {
    const line = Number(/:(\d+): /.exec(problem)?.[1] ?? 0);
    if (!line) return;
    const lines = typed.split("\n");
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.current!.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  }, [problem]);
  const names = keys.map((each) => each.key);
  const { word, found } = offered(typed, caret, names, words);
  const meant = keys.find((each) => each.key === keyAt(typed, caret));
  const take = (whole: string) => {
    const start = caret! - word.length;
    next.current = start + whole.length;
    type(typed.slice(0, start) + whole + typed.slice(caret!));
    setCaret(next.current);
    area.current!.focus();
  };
  const apply = () => {
    send(typed);
    onApply(typed);
  };
  const key = (event: KeyboardEvent) => {
    if (event.ctrlKey && event.key === " " && found.length) take(found[0]!);
    else if ((event.ctrlKey || event.metaKey) && event.key === "Enter") apply();
    else if (event.key === "Escape" && typed !== text) back();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="completing">
      <textarea
        ref={area}
        aria-label={label}
        title="Ctrl+Enter applies it, Ctrl+Space takes the first name offered"
        spellcheck={false}
        aria-invalid={problem !== ""}
        aria-describedby={why}
        rows={rows}
        value={typed}
        onInput={(event) => {
          type(event.currentTarget.value);
          setCaret(event.currentTarget.selectionStart);
        }}
        onKeyDown={key}
        onSelect={(event) => setCaret(event.currentTarget.selectionStart)}
      />
      <div id={why}>
        <Problem text={problem} />
        {meant && (
          <p class="quiet">
            {meant.key}: {meant.means}
          </p>
        )}
      </div>
      <div class="bar" role="group" aria-label={`${label}: names to complete with`}>
        <button type="button" aria-disabled={typed === text} onClick={() => typed !== text && apply()}>
          Apply
        </button>
        {found.map((each) => (
          <button key={each} type="button" class="word" onClick={() => take(each)}>
            {each}
          </button>
        ))}
      </div>
    </div>
  );
}
