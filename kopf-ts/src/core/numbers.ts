/**
 * The requirements of a number given by the caller. Times are bounded, so that every date computed from one is valid.
 */
export type NumberRule =
  | "a time above zero"
  | "a time, zero or more"
  | "a count above zero"
  | "a count, zero or more"
  | "a limit above zero"
  | "a limit of attempts";

/** A hundred years in seconds, or three years in milliseconds. */
const longest = 100 * 366 * 86_400;

const holds: Readonly<Record<NumberRule, (value: number) => boolean>> = {
  "a time above zero": (value) => value > 0 && value <= longest,
  "a time, zero or more": (value) => value >= 0 && value <= longest,
  "a count above zero": (value) => Number.isSafeInteger(value) && value > 0,
  "a count, zero or more": (value) => Number.isSafeInteger(value) && value >= 0,
  "a limit above zero": (value) => value > 0 && (value <= longest || value === Number.POSITIVE_INFINITY),
  "a limit of attempts": (value) => value > 0 && (Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY),
};

const words: Readonly<Record<NumberRule, string>> = {
  "a time above zero": `a number above 0, at most ${longest}`,
  "a time, zero or more": `a number from 0 to ${longest}`,
  "a count above zero": "a whole number of 1 or more",
  "a count, zero or more": "a whole number of 0 or more",
  "a limit above zero": "a number above 0; leave it out for no limit",
  "a limit of attempts": "a whole number of 1 or more; leave it out for no limit",
};

/**
 * Refuses numbers that no clock and no counter can represent: NaN, negative ones, infinite times. Undefined is
 * accepted: the default applies. Every number given by the caller is checked here: at its registration, or when it is
 * returned.
 * @throws RangeError that contains the place, the option, the value and the requirement.
 */
export function checkNumbers<Options extends object>(
  where: string,
  options: Options,
  rules: { readonly [Name in keyof Options]?: NumberRule },
): void {
  for (const [name, rule] of Object.entries(rules) as [keyof Options & string, NumberRule][])
    checkNumber(`${where}: ${name}`, options[name], rule);
}

/** @throws RangeError */
export function checkNumber(what: string, value: unknown, rule: NumberRule): void {
  if (value === undefined || (typeof value === "number" && holds[rule](value))) return;
  throw new RangeError(`${what} is ${typeof value === "number" ? value : `no number (${typeof value})`}; it must be ${words[rule]}`);
}
