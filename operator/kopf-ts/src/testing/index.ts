export { eventually, settle, VirtualClock } from "./virtual-clock.ts";
