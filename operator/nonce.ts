import { randomInt } from "node:crypto";

const consonants = "bdfgklmnprstvz";
const vowels = "aeiou";
const syllablesOfWord = 3;

/** Two pronounceable words of three syllables: 36 random bits, so no model has read them, in few tokens. */
export const nonce = (): string => [word(), word()].join("-");

const word = () => Array.from({ length: syllablesOfWord }, () => letterOf(consonants) + letterOf(vowels)).join("");
const letterOf = (letters: string) => letters.charAt(randomInt(letters.length));
