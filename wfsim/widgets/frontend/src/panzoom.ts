import type { Box, Point } from "./types.ts";

/** Where the drawing's origin is in the window, in pixels, and how large a unit of it is shown. */
export interface View {
  x: number;
  y: number;
  k: number;
}
type Extent = [left: number, top: number, right: number, bottom: number];
interface Item {
  element: SVGElement;
  extent: Extent;
  shown: boolean;
}

const [SMALLEST, LARGEST, FAR] = [0.02, 4, 0.35];
/** How far a pointer moves before a press is a drag, in pixels. */
const SLACK = 4;
/** How long after the last change of scale texts have their halos again, in milliseconds. */
const SETTLED = 150;

/** Pan and zoom of one <g>: the transform is written once per frame; nothing is rendered again. */
export class PanZoom {
  view: View = { x: 0, y: 0, k: 1 };
  private readonly svg: SVGSVGElement;
  private readonly layer: SVGGElement;
  private readonly seen: (view: View) => void;
  private readonly resized: ResizeObserver;
  /** What stays in view when the window gets smaller. */
  keep: Box | null = null;
  private items: Item[] = [];
  private size: Box = { x: 0, y: 0, width: 1, height: 1 };
  private frame = 0;
  private settled: ReturnType<typeof setTimeout> | undefined;
  private width = 1;
  private height = 1;

  constructor(svg: SVGSVGElement, layer: SVGGElement, seen: (view: View) => void) {
    this.svg = svg;
    this.layer = layer;
    this.seen = seen;
    this.resized = new ResizeObserver(() => {
      this.measure();
      if (this.keep) this.show(this.keep);
      this.cull();
    });
    this.resized.observe(svg);
    this.measure();
    svg.addEventListener("wheel", this.wheel, { passive: false });
    svg.addEventListener("pointerdown", this.down);
    svg.addEventListener("click", this.click, { capture: true });
  }

  stop(): void {
    this.resized.disconnect();
    this.svg.removeEventListener("wheel", this.wheel);
    this.svg.removeEventListener("pointerdown", this.down);
    this.svg.removeEventListener("click", this.click, { capture: true });
    cancelAnimationFrame(this.frame);
    clearTimeout(this.settled);
  }

  content(size: Box): void {
    this.size = size;
  }

  /** The whole drawing; or, where that would be smaller than `atLeast`, what lies around `at` at that scale. */
  fit(atLeast = 0, at?: Point): void {
    this.measure();
    const { x, y, width, height } = this.size;
    const k = Math.max(Math.min(1, this.width / width, this.height / height) || 1, atLeast);
    const place = (window: number, from: number, size: number, about: number) =>
      size * k <= window
        ? (window - size * k) / 2 - from * k
        : Math.min(8 - from * k, Math.max(window - (from + size) * k - 8, window / 2 - about * k));
    this.set({
      k,
      x: place(this.width, x, width, at?.[0] ?? x + width / 2),
      y: place(this.height, y, height, at?.[1] ?? y + height / 2),
    });
  }

  zoom(by: number, at: Point = [this.width / 2, this.height / 2]): void {
    const { x, y, k } = this.view;
    const next = Math.min(LARGEST, Math.max(SMALLEST, k * by));
    const scale = next / k;
    this.set({ k: next, x: at[0] - (at[0] - x) * scale, y: at[1] - (at[1] - y) * scale });
  }

  pan(dx: number, dy: number): void {
    this.set({ ...this.view, x: this.view.x + dx, y: this.view.y + dy });
  }

  /** Into view, without moving when it already is. */
  show(box: Box): void {
    const { x, y, k } = this.view;
    const margin = 24;
    const into = (from: number, to: number, window: number) =>
      from < margin ? margin - from : to > window - margin ? Math.max(window - margin - to, margin - from) : 0;
    const dx = into(box.x * k + x, (box.x + box.width) * k + x, this.width);
    const dy = into(box.y * k + y, (box.y + box.height) * k + y, this.height);
    if (dx || dy) this.pan(dx, dy);
  }

  /** What lies outside the window is not painted; what has the focus stays. */
  watch(extents: Map<string, Extent>): void {
    this.items = [];
    for (const element of this.layer.querySelectorAll<SVGElement>("[data-id], [data-part]")) {
      const extent = extents.get((element.dataset["id"] ?? element.dataset["part"])!);
      if (extent) this.items.push({ element, extent, shown: element.style.display !== "none" });
    }
    this.cull();
  }

  reveal(element: SVGElement): void {
    const item = this.items.find((each) => each.element === element);
    if (item) item.shown = true;
    element.style.display = "";
  }

  /** The place in the drawing below a pointer. */
  point(event: { clientX: number; clientY: number }): Point {
    const box = this.svg.getBoundingClientRect();
    const { x, y, k } = this.view;
    return [(event.clientX - box.left - x) / k, (event.clientY - box.top - y) / k];
  }

  private measure(): void {
    // Reading these in each frame would make the browser lay everything out each time.
    this.width = this.svg.clientWidth || 1;
    this.height = this.svg.clientHeight || 1;
  }

  private set(view: View): void {
    if (view.k !== this.view.k) {
      this.svg.classList.add("zooming");
      clearTimeout(this.settled);
      this.settled = setTimeout(() => this.svg.classList.remove("zooming"), SETTLED);
    }
    this.view = view;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      const { x, y, k } = this.view;
      this.layer.setAttribute("transform", `matrix(${k} 0 0 ${k} ${x} ${y})`);
      this.svg.classList.toggle("far", k < FAR);
      this.cull();
      this.seen(this.view);
    });
  }

  private cull(): void {
    const { x, y, k } = this.view;
    const margin = 60;
    const [left, top] = [(-x - margin) / k, (-y - margin) / k];
    const [right, bottom] = [(this.width - x + margin) / k, (this.height - y + margin) / k];
    for (const item of this.items) {
      const [x0, y0, x1, y1] = item.extent;
      const shown =
        (x0 < right && x1 > left && y0 < bottom && y1 > top) ||
        item.element.matches(":focus") ||
        this.items.length < 60;
      if (shown !== item.shown) {
        item.element.style.display = shown ? "" : "none";
        item.shown = shown;
      }
    }
  }

  private readonly wheel = (event: WheelEvent) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const box = this.svg.getBoundingClientRect();
    this.zoom(Math.exp(-event.deltaY / 300), [event.clientX - box.left, event.clientY - box.top]);
  };

  private dragged = false;
  private readonly click = (event: MouseEvent) => {
    if (this.dragged) event.stopPropagation(); // the end of a drag is no click
    this.dragged = false;
  };

  private readonly down = (event: PointerEvent) => {
    if (event.button !== 0 || event.defaultPrevented) return;
    let [x, y] = [event.clientX, event.clientY];
    this.dragged = false;
    const move = (e: PointerEvent) => {
      if (!this.dragged && Math.hypot(e.clientX - x, e.clientY - y) < SLACK) return;
      if (!this.dragged) this.svg.setPointerCapture(event.pointerId);
      this.dragged = true;
      this.svg.classList.add("panning");
      this.pan(e.clientX - x, e.clientY - y);
      [x, y] = [e.clientX, e.clientY];
    };
    const up = () => {
      this.svg.removeEventListener("pointermove", move);
      this.svg.classList.remove("panning");
    };
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", up, { once: true });
    this.svg.addEventListener("pointercancel", up, { once: true });
  };
}
