export interface StepData {
  title: string;
  time: string;
  after: string;
}
interface Props {
  head: { cursor: number; length: number };
  steps: Record<string, StepData>;
  playing: boolean;
  speed: number;
  onPlay(): void;
  onSpeed(speed: number): void;
  onJump(to: number): void;
}

const SPEEDS = [0.5, 1, 2, 5];

/** Of a long run the steps around the current one are listed; the slider reaches all. */
const AROUND = 40;

/** Play, step and jump: buttons that keep the focus at either end, a slider, and the steps by name. */
export function Timeline({ head, steps, playing, speed, onPlay, onSpeed, onJump }: Props) {
  const { cursor, length } = head;
  const first = Math.max(1, cursor - AROUND);
  const shown = Array.from({ length: Math.max(0, Math.min(length, cursor + AROUND) - first + 1) }, (_, k) => first + k);
  return (
    <>
      <div class="bar" role="toolbar" aria-label="Steps">
        <button type="button" aria-disabled={cursor === 0} onClick={() => onJump(0)}>
          Start
        </button>
        <button type="button" data-back aria-disabled={cursor === 0} onClick={() => onJump(cursor - 1)}>
          Back
        </button>
        <button type="button" class="play" onClick={onPlay}>
          {playing ? "Pause" : "Play"}
        </button>
        <button type="button" aria-disabled={cursor === length} onClick={() => onJump(cursor + 1)}>
          Forward
        </button>
        <button type="button" aria-disabled={cursor === length} onClick={() => onJump(length)}>
          End
        </button>
        <input
          type="range"
          aria-label="Step"
          aria-valuetext={`step ${cursor} of ${length}${cursor ? `: ${steps[cursor]?.title}` : ""}`}
          min={0}
          max={length}
          value={cursor}
          onInput={(event) => onJump(Number(event.currentTarget.value))}
        />
        <span class="quiet">
          step {cursor} of {length}
        </span>
        <label>
          speed{" "}
          <select value={speed} onChange={(event) => onSpeed(Number(event.currentTarget.value))}>
            {SPEEDS.map((each) => (
              <option key={each} value={each}>
                ×{each}
              </option>
            ))}
          </select>
        </label>
      </div>
      {length > 0 && (
        // A list that scrolls is reached by keyboard through its buttons.
        <ol class="steps" aria-label="Timeline">
          {shown.map((number) => {
            const step = steps[number];
            return (
              <li key={number}>
                <button
                  type="button"
                  class={number > cursor ? "future" : ""}
                  aria-current={number === cursor ? "step" : undefined}
                  title={step && `${step.time}, then ${step.after}`}
                  onClick={() => onJump(number)}
                >
                  {number}. {step?.title}
                </button>
              </li>
            );
          })}
        </ol>
      )}
    </>
  );
}
