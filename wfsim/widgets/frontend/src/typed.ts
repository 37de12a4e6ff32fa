import { useLayoutEffect, useRef, useState } from "preact/hooks";

interface Typed {
  typed: string;
  type(typed: string): void;
  /** To be called with what is sent to be the text. */
  send(sent: string): void;
  /** Forget what was typed. */
  back(): void;
}

/** What is typed over a text that others change too. */
export function useTyped(text: string): Typed {
  const [typed, type] = useState(text);
  const sent = useRef<string | null>(null);
  // Before the next key is heard, and not over what was typed while the text that was sent came back.
  useLayoutEffect(() => {
    if (text !== sent.current) type(text);
    sent.current = null;
  }, [text]);
  return {
    typed,
    type,
    send(what) {
      sent.current = what;
    },
    back() {
      sent.current = null;
      type(text);
    },
  };
}
