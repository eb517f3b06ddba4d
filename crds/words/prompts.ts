/** Said to a model when a task says nothing else. These words are the same in agent, evaluator and trainer: what is learnt is what is asked. */
export const defaultSystem = "You write short Python programs without comments or docstrings. Answer with one Python code block.";

/** Opens the code block that an answer consists of. */
export const fence = "```python\n";

/** What a model is told after a program that failed, around its error. */
export const afterFailure = { before: "That program failed: ", after: "\nWrite the whole program again." } as const;
