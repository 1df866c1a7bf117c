/** Server-sent events out of a byte stream, comments included (they prove the line is alive). Pure. */

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Feed text as it comes; get whole events. `heard` counts every line, keep-alive comments too. */
export class EventReader {
  heard = 0;
  private rest = "";
  private id: string | null = null;
  private event = "";
  private data: string[] = [];

  push(text: string): ServerEvent[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): ServerEvent[] {
    this.heard += 1;
    if (line === "") return this.flush();
    if (line.startsWith(":")) return [];
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.id = value;
    else if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    return [];
  }

  private flush(): ServerEvent[] {
    const whole = { id: this.id, event: this.event || "message", data: this.data.join("\n") };
    const has = this.data.length > 0 || this.event !== "";
    this.event = "";
    this.data = [];
    return has ? [whole] : [];
  }
}
