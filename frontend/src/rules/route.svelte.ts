/** Where one is, kept whole in the address: a link or a bookmark opens the same rule. */

export type View = "list" | "rule" | "edit" | "approve" | "tables";
type Changes = Record<string, string | number | null>;

const VIEWS: readonly View[] = ["list", "rule", "edit", "approve", "tables"];

class Route {
  private params = $state.raw(new URLSearchParams(location.search));

  constructor() {
    addEventListener("popstate", () => (this.params = new URLSearchParams(location.search)));
  }

  get view(): View {
    const said = this.params.get("view") as View | null;
    return said !== null && VIEWS.includes(said) ? said : "list";
  }

  get(name: string): string {
    return this.params.get(name) ?? "";
  }

  /** The address of another place; `fresh` forgets everything about the present one. */
  href(changes: Changes, fresh = true): string {
    const next = fresh ? new URLSearchParams() : new URLSearchParams(this.params);
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === "") next.delete(name);
      else next.set(name, String(value));
    }
    const text = next.toString();
    return text === "" ? "/rules" : `/rules?${text}`;
  }

  go(href: string, replace = false): void {
    if (replace) history.replaceState(null, "", href);
    else history.pushState(null, "", href);
    this.params = new URLSearchParams(location.search);
  }

  /** Changes part of the present place. */
  set(changes: Changes, replace = false): void {
    this.go(this.href(changes, false), replace);
  }
}

export const route = new Route();

/** For links inside the screen: a plain click stays on the page, any other is the browser's. */
export function inside(node: HTMLAnchorElement): { destroy: () => void } {
  const clicked = (event: MouseEvent): void => {
    if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    route.go(node.getAttribute("href") ?? "/rules");
  };
  node.addEventListener("click", clicked);
  return { destroy: () => node.removeEventListener("click", clicked) };
}
