import { Drawing, type DrawingProps } from "./drawing.tsx";
import type { Picture } from "./types.ts";

/** Why something could not be done; nothing while there is no reason. */
export const Problem = ({ text, id }: { text: string; id?: string }) =>
  text ? (
    <p id={id} class="problem" role="alert">
      {text}
    </p>
  ) : null;

export const Loading = () => <p role="status">Loading …</p>;

/** The drawing of a widget, or why there is none. */
export function Drawn({
  picture,
  tooLarge,
  ...props
}: Omit<DrawingProps, "picture"> & { picture: Picture | null; tooLarge: string }) {
  return picture ? <Drawing picture={picture} {...props} /> : <p class="problem">{tooLarge}</p>;
}
