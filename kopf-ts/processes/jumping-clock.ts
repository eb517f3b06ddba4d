/**
 * Loaded before a program (`node --import`): its wall clock jumps an hour forwards at SIGUSR2, and back at SIGHUP.
 * Monotonic clocks don't change, as with a real jump.
 */
const hour = 3_600_000;
const RealDate = Date;
let offset = 0;

class JumpingDate extends RealDate {
  constructor(...parts: [] | ConstructorParameters<typeof RealDate>) {
    if (parts.length === 0) super(RealDate.now() + offset);
    else super(...(parts as ConstructorParameters<typeof RealDate>));
  }

  static override now(): number {
    return RealDate.now() + offset;
  }
}

globalThis.Date = JumpingDate as DateConstructor;
process.on("SIGUSR2", () => {
  offset += hour;
});
process.on("SIGHUP", () => {
  offset -= hour;
});
