/** The API server refuses longer messages in status (those of conditions may be longer). */
const longestMessage = 1024;

/** A message that fits into status: messages of programs and of Kubernetes are cut at the end. */
export const truncateMessage = (message: string) =>
  message.length <= longestMessage ? message : `${message.slice(0, longestMessage - 1).toWellFormed()}…`;
