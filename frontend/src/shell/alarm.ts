/** The alarm: two falling tones through WebAudio, never before the person's first gesture. */

export class Alarm {
  private context: AudioContext | null = null;

  /** Call from a click or key press: browsers forbid sound before one. */
  unlock(): void {
    if (this.context === null) {
      if (!("AudioContext" in window)) return;
      this.context = new AudioContext();
    }
    if (this.context.state === "suspended") void this.context.resume();
  }

  get unlocked(): boolean {
    return this.context !== null && this.context.state === "running";
  }

  sound(): void {
    const context = this.context;
    if (context === null || context.state !== "running") return;
    for (let i = 0; i < 3; i += 1) this.tone(context, i % 2 === 0 ? 932 : 698, context.currentTime + i * 0.22);
  }

  private tone(context: AudioContext, hertz: number, at: number): void {
    const oscillator = new OscillatorNode(context, { type: "triangle", frequency: hertz });
    const gain = new GainNode(context, { gain: 0 });
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.02);
    gain.gain.linearRampToValueAtTime(0, at + 0.2);
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(at);
    oscillator.stop(at + 0.21);
  }
}
