import { randomInt } from "node:crypto";

const consonants = "bdfgklmnprstvz";
const vowels = "aeiou";
const syllablesOfWord = 3;

/** Two words that can be spoken, of three syllables each: 36 bits that no model has read and nobody can guess, in few tokens. */
export const nonce = (): string => [word(), word()].join("-");

const word = () => Array.from({ length: syllablesOfWord }, () => letterOf(consonants) + letterOf(vowels)).join("");
const letterOf = (letters: string) => letters.charAt(randomInt(letters.length));
