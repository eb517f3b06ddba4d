/** `host:port` of a URL, in which an IPv6 address stands in brackets. */
export const hostAndPort = (host: string, port: number): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;
