/** The API server refuses a status whose messages, beside those of conditions, are longer. */
const longestMessage = 1024;

/** A message as status can hold it: what programs and Kubernetes say is cut at the end. */
export const truncateMessage = (message: string) =>
  message.length <= longestMessage ? message : `${message.slice(0, longestMessage - 1).toWellFormed()}…`;
