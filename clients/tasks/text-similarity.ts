/** Words of a text with their weights: high if frequent here and rare elsewhere. */
type Weighted = ReadonlyMap<string, number>;

const wordsOf = (text: string) => text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [];

/**
 * Returns a function for the similarity of a text to each of `texts`, between 0 and 1: cosine of their words' counts
 * times log((1 + texts) / (1 + texts with the word)) + 1. (Salton and Buckley 1988, "Term-weighting approaches in
 * automatic text retrieval".) 0 if they share no word.
 */
export function similarity(texts: readonly string[]): (text: string) => number[] {
  const words = texts.map(wordsOf);
  const texted = new Map<string, number>();
  for (const word of words.flatMap((each) => [...new Set(each)])) texted.set(word, (texted.get(word) ?? 0) + 1);
  const weighted = (list: readonly string[]): Weighted => {
    const counts = [...Map.groupBy(list, (word) => word)];
    return new Map(
      counts.map(([word, all]) => [word, all.length * (Math.log((1 + texts.length) / (1 + (texted.get(word) ?? 0))) + 1)] as const),
    );
  };
  const vectors = words.map(weighted);
  return (text) => {
    const vector = weighted(wordsOf(text));
    return vectors.map((other) => cosine(vector, other));
  };
}

function cosine(a: Weighted, b: Weighted): number {
  const lengths = norm(a) * norm(b);
  return lengths === 0 ? 0 : [...a].reduce((sum, [word, weight]) => sum + weight * (b.get(word) ?? 0), 0) / lengths;
}

function norm(vector: Weighted): number {
  return Math.sqrt([...vector.values()].reduce((sum, weight) => sum + weight ** 2, 0));
}
